// Prints the class of one image: classify MODEL.tkt IMAGES [NUMBER]
//
// IMAGES is MNIST's unpacked idx file for a network that takes grey images, CIFAR-10's binary
// file (cifar-10-batches-bin) for one that takes colour.  NUMBER counts from 0.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include <ticket_runtime.hpp>

// Image `number` of the file as 0 to 255, in the network's order: channel, row, column.
std::vector<float> read_image(const std::string& path, std::int64_t number,
                              const std::vector<std::int64_t>& shape) {
  if (shape.size() != 3) throw std::runtime_error("the network takes vectors, not images");
  const std::int64_t size = shape[0] * shape[1] * shape[2];
  const bool grey = shape[0] == 1;
  const std::int64_t header = grey ? 16 : 0;   // idx: a magic number and three sizes
  const std::int64_t label = grey ? 0 : 1;     // CIFAR-10: a byte before each image
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const std::int64_t content = static_cast<std::int64_t>(file.tellg()) - header;
  if (file && content % (label + size) != 0) {  // a packed file (.gz) or images of another size
    throw std::runtime_error(path + ": not an unpacked file of images of " +
                             std::to_string(size) + " bytes");
  }
  const std::int64_t images = content / (label + size);
  if (!file || number < 0 || number >= images) {
    throw std::runtime_error(path + ": no image " + std::to_string(number) + " of " +
                             std::to_string(size) + " bytes");
  }
  std::vector<unsigned char> bytes(static_cast<std::size_t>(size));
  file.seekg(header + number * (label + size) + label);
  file.read(reinterpret_cast<char*>(bytes.data()), size);
  if (!file) throw std::runtime_error(path + ": cannot be read");
  return std::vector<float>(bytes.begin(), bytes.end());
}

int main(int count, char** arguments) try {
  if (count != 3 && count != 4) {
    std::cerr << "usage: classify MODEL.tkt IMAGES [NUMBER]\n";
    return 2;
  }
  const ticket::Model model(arguments[1]);
  if (!model.takes_pixels()) {
    throw std::runtime_error(std::string(arguments[1]) +
                             ": takes normalised images; export it again with --normalize");
  }
  const std::int64_t number = count == 4 ? std::atoll(arguments[3]) : 0;
  const std::vector<float> scores = model.run(read_image(arguments[2], number,
                                                         model.input_shape()));
  const auto best = static_cast<std::size_t>(
      std::max_element(scores.begin(), scores.end()) - scores.begin());
  const std::vector<std::string> classes = model.classes();
  std::cout << (best < classes.size() ? classes[best] : std::to_string(best)) << "\n";
} catch (const std::exception& error) {
  std::cerr << "classify: " << error.what() << "\n";
  return 1;
}
