// What both clients do: CLIENT MODEL IMAGES OUTPUTS BATCH... reads float32 images one after the
// other, runs the first 1, 7, 64 of them as one batch each, and writes all outputs as float32.
// It prints the milliseconds of loading and of the first run.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

inline double milliseconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double, std::milli>(now).count();
}

inline std::vector<float> read_floats(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  std::vector<float> floats(static_cast<std::size_t>(file.tellg()) / sizeof(float));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(floats.data()),
            static_cast<std::streamsize>(floats.size() * sizeof(float)));
  return floats;
}

// `load(path)` gives what `run(images, batch)` of it turns into outputs.
template <typename Load>
int serve(int count, char** arguments, const Load& load) try {
  const std::vector<float> images = read_floats(arguments[2]);
  std::ofstream outputs(arguments[3], std::ios::binary);
  const double start = milliseconds();
  const auto run = load(std::string(arguments[1]));
  double first = 0;
  for (int i = 4; i < count; ++i) {
    const std::vector<float> found = run(images, std::atoll(arguments[i]));
    if (i == 4) first = milliseconds() - start;
    outputs.write(reinterpret_cast<const char*>(found.data()),
                  static_cast<std::streamsize>(found.size() * sizeof(float)));
  }
  std::cout << first << "\n";
  return outputs ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
