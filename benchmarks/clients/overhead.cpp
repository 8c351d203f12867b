// What a TorchScript call costs over the executor: overhead MODEL.pt MODEL.tkt IMAGES BATCH ROUNDS
//
// Prints two lines of JSON, microseconds a call, a number a round: the executor by its C API, then
// TorchScript.  Both have one thread and what they need ready; the rounds take turns.  The operator
// library is what TICKET_OPERATORS names.
#include <dlfcn.h>

#include <ticket_runtime.h>
#include <torch/script.h>

#include "client.h"

namespace {

constexpr int kCalls = 3000;  // of one round

template <typename Call>
double microseconds(const Call& call) {
  const double start = milliseconds();
  for (int i = 0; i < kCalls; ++i) call();
  return 1e3 * (milliseconds() - start) / kCalls;
}

void print(const std::vector<double>& times) {
  std::string between = "[";
  for (const double time : times) {
    std::cout << between << time;
    between = ", ";
  }
  std::cout << "]\n";
}

}  // namespace

int main(int, char** arguments) {
  if (dlopen(std::getenv("TICKET_OPERATORS"), RTLD_NOW) == nullptr) {
    std::cerr << dlerror() << "\n";
    return 1;
  }
  const torch::InferenceMode no_gradients;
  torch::jit::Module module = torch::jit::load(arguments[1]);
  ticket_model* const model = ticket_load_file(arguments[2]);
  const std::vector<float> images = read_floats(arguments[3]);
  const std::int64_t batch = std::atoll(arguments[4]);

  std::int64_t dims[3];
  ticket_output_shape(model, dims);
  std::vector<float> outputs(static_cast<std::size_t>(batch * dims[0] * dims[1] * dims[2]));
  std::vector<std::int64_t> sizes = module.attr("shape").toIntVector();
  sizes.insert(sizes.begin(), batch);
  const torch::Tensor input =
      torch::from_blob(const_cast<float*>(images.data()), sizes, torch::kFloat);
  const auto executor = [&] { ticket_run(model, images.data(), batch, outputs.data(), 1); };
  const auto torchscript = [&] { module.forward({input}); };

  microseconds(executor);
  microseconds(torchscript);
  std::vector<double> first;
  std::vector<double> second;
  for (int round = 0; round < std::atoi(arguments[5]); ++round) {
    first.push_back(microseconds(executor));
    second.push_back(microseconds(torchscript));
  }
  print(first);
  print(second);
  ticket_free(model);
}
