# Builds and installs the runtime alone; builds the example against it and asks for some classes;
# and runs the C API's test as a project without C++, against the shared library.  Unoptimised:
# what is tested is what is installed, not how fast it is.
function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE result OUTPUT_VARIABLE text ERROR_VARIABLE text)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${ARGV}\n${text}")
  endif()
endfunction()

function(configure folder)
  run(${CMAKE_COMMAND} -S ${folder} -G ${generator} -DCMAKE_CXX_COMPILER=${compiler}
      -DCMAKE_BUILD_TYPE=Debug ${ARGN})
endfunction()

function(expect wanted_result wanted)
  execute_process(COMMAND ${build}/example/classify ${ARGN}
    RESULT_VARIABLE result OUTPUT_VARIABLE text ERROR_VARIABLE text)
  if(NOT result EQUAL wanted_result OR NOT text MATCHES "${wanted}")
    message(FATAL_ERROR "classify ${ARGN}: wanted ${wanted_result} ${wanted}, "
                        "got ${result} ${text}")
  endif()
endfunction()

file(REMOVE_RECURSE ${build}/prefix ${build}/example ${build}/client)
configure(${source}/cpp -B ${build}/runtime -DTICKET_RUNTIME_ONLY=ON)
run(${CMAKE_COMMAND} --build ${build}/runtime)
run(${CMAKE_COMMAND} --install ${build}/runtime --prefix ${build}/prefix)
file(GLOB_RECURSE installed RELATIVE ${build}/prefix ${build}/prefix/*)
message(STATUS "installed: ${installed}")
configure(${source}/examples/cpp-native -B ${build}/example -DCMAKE_PREFIX_PATH=${build}/prefix)
run(${CMAKE_COMMAND} --build ${build}/example)

expect(0 "^four\n$" ${files}/grey.tkt ${files}/grey-images)
expect(0 "^zero\n$" ${files}/grey.tkt ${files}/grey-images 1)
expect(0 "^nine .+ last\n$" ${files}/grey.tkt ${files}/grey-images 2)
expect(0 "^seven\n$" ${files}/colour.tkt ${files}/colour-images)
expect(0 "^two\n$" ${files}/colour.tkt ${files}/colour-images 1)
expect(1 "no image 2 of 3072 bytes" ${files}/colour.tkt ${files}/colour-images 2)
expect(1 "takes normalised images" ${files}/residual.tkt ${files}/colour-images)
expect(1 "absent.tkt: No such file" ${files}/absent.tkt ${files}/grey-images)
expect(2 "usage" ${files}/grey.tkt)

file(WRITE ${build}/client/CMakeLists.txt
  "cmake_minimum_required(VERSION 3.18)\nproject(client LANGUAGES C)\n"
  "find_package(ticket REQUIRED)\nadd_executable(client ${source}/cpp/tests/test_c_api.c)\n"
  "target_link_libraries(client PRIVATE ticket::runtime_shared)\n")
configure(${build}/client -B ${build}/client/build -DCMAKE_PREFIX_PATH=${build}/prefix)
run(${CMAKE_COMMAND} --build ${build}/client/build)
run(${build}/client/build/client ${files})
