// Writes the sample plans and images that the other tests and the example read:
// test_samples FOLDER.
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "check.h"
#include "sample_plans.h"

namespace ticket::runtime {
namespace {

using Bytes = std::vector<std::uint8_t>;

void write(const std::string& path, const Bytes& bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  file.close();
  CHECK(file.good());
}

// For rows_network: the two rows of `label` are white, or in colour for more than one channel.
void put_image(Bytes* bytes, std::size_t channels, std::size_t size, std::size_t label) {
  for (std::size_t i = 0; i < channels * size * size; ++i) {
    bytes->push_back(i % (size * size) / size / 2 == label ? 255 : 3);
  }
}

}  // namespace
}  // namespace ticket::runtime

int main(int count, char** arguments) {
  using namespace ticket::runtime;
  CHECK(count == 2);
  const std::string folder = std::string(arguments[1]) + "/";
  write(folder + "residual.tkt", encode(residual_network()));
  write(folder + "branched.tkt", encode(branched_network()));
  write(folder + "perceptron.tkt", encode(perceptron()));
  write(folder + "grey.tkt", encode(rows_network(1, 28)));
  write(folder + "colour.tkt", encode(rows_network(3, 32)));
  write(folder + "seven.tkt", encode(rows_network(1, 28, 7)));
  Bytes grey{0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 28, 0, 0, 0, 28};  // MNIST's format: 3 images
  for (const std::size_t label : {4, 0, 9}) put_image(&grey, 1, 28, label);
  write(folder + "grey-images", grey);
  Bytes colour;  // CIFAR-10's binary format: 2 records of a label and an image
  for (const std::size_t label : {7, 2}) {
    colour.push_back(static_cast<std::uint8_t>(label));
    put_image(&colour, 3, 32, label);
  }
  write(folder + "colour-images", colour);
}
