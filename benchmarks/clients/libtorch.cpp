// The operator library is what TICKET_OPERATORS names.
#include <dlfcn.h>

#include <memory>
#include <stdexcept>

#include <torch/script.h>

#include "client.h"

int main(int count, char** arguments) {
  if (dlopen(std::getenv("TICKET_OPERATORS"), RTLD_NOW) == nullptr) {
    std::cerr << dlerror() << "\n";
    return 1;
  }
  const torch::InferenceMode no_gradients;
  return serve(count, arguments, [](const std::string& path) {
    const auto model = std::make_shared<torch::jit::Module>(torch::jit::load(path));
    return [model](const std::vector<float>& images, std::int64_t batch) {
      std::vector<std::int64_t> sizes = model->attr("shape").toIntVector();
      sizes.insert(sizes.begin(), batch);
      const torch::Tensor input =
          torch::from_blob(const_cast<float*>(images.data()), sizes, torch::kFloat);
      const torch::Tensor output = model->forward({input}).toTensor().contiguous();
      const float* const floats = output.data_ptr<float>();
      return std::vector<float>(floats, floats + output.numel());
    };
  });
}
