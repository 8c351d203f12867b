// Prints the class of one image: classify MODEL.pt OPERATORS.so IMAGES [NUMBER]
//
// IMAGES is MNIST's unpacked idx file for a network that takes grey images, CIFAR-10's binary
// file (cifar-10-batches-bin) for one that takes colour.  NUMBER counts from 0.
#include <dlfcn.h>

#include <cstdint>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <torch/script.h>

// Image `number` of the file as 0 to 255: [1, channels, rows, columns].
torch::Tensor read_image(const std::string& path, std::int64_t number,
                         const std::vector<std::int64_t>& shape) {
  if (shape.size() != 3) throw std::runtime_error("the network takes vectors, not images");
  const std::int64_t size = shape[0] * shape[1] * shape[2];
  const bool grey = shape[0] == 1;
  const std::int64_t header = grey ? 16 : 0;  // idx: a magic number and three sizes
  const std::int64_t label = grey ? 0 : 1;    // CIFAR-10: a byte before each image
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const std::int64_t content = static_cast<std::int64_t>(file.tellg()) - header;
  if (file && content % (label + size) != 0) {  // a packed file (.gz) or images of another size
    throw std::runtime_error(path + ": not an unpacked file of images of " +
                             std::to_string(size) + " bytes");
  }
  if (!file || number < 0 || number >= content / (label + size)) {
    throw std::runtime_error(path + ": no image " + std::to_string(number) + " of " +
                             std::to_string(size) + " bytes");
  }
  torch::Tensor image = torch::empty({1, shape[0], shape[1], shape[2]}, torch::kUInt8);
  file.seekg(header + number * (label + size) + label);
  file.read(reinterpret_cast<char*>(image.data_ptr<std::uint8_t>()), size);
  if (!file) throw std::runtime_error(path + ": cannot be read");
  return image.to(torch::kFloat);
}

int main(int count, char** arguments) try {
  if (count != 4 && count != 5) {
    std::cerr << "usage: classify MODEL.pt OPERATORS.so IMAGES [NUMBER]\n";
    return 2;
  }
  // First: the model's operator is in this library.  A path without a slash is searched for elsewhere.
  if (dlopen(arguments[2], RTLD_NOW) == nullptr) throw std::runtime_error(dlerror());
  torch::jit::Module model = torch::jit::load(arguments[1]);
  if (!model.attr("takes_pixels").toBool()) {
    throw std::runtime_error(std::string(arguments[1]) +
                             ": takes normalised images; export it again with --normalize");
  }
  const std::int64_t number = count == 5 ? std::atoll(arguments[4]) : 0;
  const torch::InferenceMode no_gradients;
  const torch::Tensor scores =
      model.forward({read_image(arguments[3], number, model.attr("shape").toIntVector())})
          .toTensor();
  const auto best = static_cast<std::size_t>(scores.argmax().item<std::int64_t>());
  const c10::List<c10::IValue> classes = model.attr("classes").toList();
  std::cout << (best < classes.size() ? classes.get(best).toStringRef() : std::to_string(best))
            << "\n";
} catch (const std::exception& error) {
  std::istringstream said(error.what());  // a page, of torch's: the first line names the reason
  std::string line;
  while (line.empty() && std::getline(said, line)) {
  }
  std::cerr << "classify: " << line << "\n";
  return 1;
}
