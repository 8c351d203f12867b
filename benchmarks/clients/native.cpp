#include <memory>

#include <ticket_runtime.hpp>

#include "client.h"

int main(int count, char** arguments) {
  return serve(count, arguments, [](const std::string& path) {
    const auto model = std::make_shared<ticket::Model>(path);
    std::size_t image = 1;
    for (const std::int64_t size : model->input_shape()) image *= static_cast<std::size_t>(size);
    return [model, image](const std::vector<float>& images, std::int64_t batch) {
      const auto end = images.begin() + static_cast<std::ptrdiff_t>(image) * batch;
      return model->run(std::vector<float>(images.begin(), end));
    };
  });
}
