// The C API with an owner and exceptions; see ticket_runtime.h for what everything means.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "ticket_runtime.h"

namespace ticket {

// A network ready to run.  May be moved, and used by several threads at once.  Every function
// that fails throws std::runtime_error with the C API's line.
class Model {
 public:
  explicit Model(const std::string& path) : Model(ticket_load_file(path.c_str())) {}
  Model(const void* bytes, std::size_t size) : Model(ticket_load_bytes(bytes, size)) {}

  // {channels, height, width}, or {features}.
  std::vector<std::int64_t> input_shape() const { return shape(ticket_input_shape); }
  std::vector<std::int64_t> output_shape() const { return shape(ticket_output_shape); }

  std::int64_t batch() const { return ticket_batch(model_.get()); }
  bool takes_pixels() const { return ticket_takes_pixels(model_.get()) != 0; }
  std::int64_t memory() const { return ticket_memory(model_.get()); }
  std::string metadata() const { return ticket_metadata(model_.get()); }

  std::vector<std::string> classes() const {
    std::vector<std::string> names;
    for (std::int64_t i = 0; i < ticket_class_count(model_.get()); ++i) {
      names.emplace_back(ticket_class_name(model_.get(), i));
    }
    return names;
  }

  // The outputs of as many images as `input` holds; std::invalid_argument if it is no whole number.
  std::vector<float> run(const std::vector<float>& input, int threads = 1) const {
    const std::size_t image = size_of(input_shape());
    if (input.size() % image != 0) {
      throw std::invalid_argument("the input has " + std::to_string(input.size()) +
                                  " floats, no multiple of an image's " + std::to_string(image));
    }
    std::vector<float> output(input.size() / image * size_of(output_shape()));
    const auto images = static_cast<std::int64_t>(input.size() / image);
    run(input.data(), images, output.data(), threads);
    return output;
  }

  void run(const float* input, std::int64_t images, float* output, int threads = 1) const {
    if (ticket_run(model_.get(), input, images, output, threads) != 0) fail();
  }

 private:
  struct Free {
    void operator()(ticket_model* model) const { ticket_free(model); }
  };

  explicit Model(ticket_model* model) : model_(model) {
    if (model == nullptr) fail();
  }

  [[noreturn]] static void fail() { throw std::runtime_error(ticket_last_error()); }

  static std::size_t size_of(const std::vector<std::int64_t>& shape) {
    std::size_t size = 1;
    for (const std::int64_t dim : shape) size *= static_cast<std::size_t>(dim);
    return size;
  }

  std::vector<std::int64_t> shape(int (*of)(const ticket_model*, std::int64_t[3])) const {
    std::int64_t dims[3];
    const int rank = of(model_.get(), dims);
    return std::vector<std::int64_t>(dims, dims + rank);
  }

  std::unique_ptr<ticket_model, Free> model_;
};

}  // namespace ticket
