// The C API over decode, pack and run: it owns, checks its arguments, and lets no exception out.
#include "runtime/ticket_runtime.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "runtime/block.h"
#include "runtime/pack/pack.h"
#include "runtime/plan/format.h"
#include "runtime/plan/metadata.h"
#include "runtime/plan/plan.h"
#include "runtime/run/run.h"

using namespace ticket::runtime;

struct ticket_model {
  std::string json;
  Metadata metadata;
  Shape input, output;
  Io io;
  PackedBytes block;
};

namespace {

// An array: telling of a failure must not need memory.
thread_local char last_error[1024] = "";

void fail(const char* subject, const char* reason) {
  std::snprintf(last_error, sizeof last_error, "%s%s%s", subject, *subject == '\0' ? "" : ": ",
                reason);
}

// Calls work(&error), which returns whether it succeeded, and turns what it throws into an error.
template <typename Work>
bool guarded(const char* subject, const Work& work) {
  try {
    std::string error;
    if (work(&error)) return true;
    fail(subject, error.c_str());
  } catch (const std::bad_alloc&) {
    fail(subject, "not enough memory");
  } catch (const std::exception& failure) {
    fail(subject, failure.what());
  }
  return false;
}

bool make_model(Plan plan, std::unique_ptr<ticket_model>* made, std::string* error) {
  auto model = std::make_unique<ticket_model>();
  if (!read_metadata(plan.metadata, &model->metadata, error)) return false;
  if (!pack(plan, &model->block, error)) return false;
  model->json = std::move(plan.metadata);
  model->input = plan.values[plan.inputs[0]];
  model->output = plan.values[plan.outputs[0]];
  model->io = io_of(model->block.data());
  *made = std::move(model);
  return true;
}

struct Close {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

// The length in the header is compared with the file's before memory is taken for it: a device or
// a pipe has no length, and a folder a meaningless one.
bool read_file(const char* path, std::vector<std::uint8_t>* bytes, std::string* error) {
  const auto system = [error] {
    *error = std::strerror(errno);
    return false;
  };
  const std::unique_ptr<std::FILE, Close> file(std::fopen(path, "rb"));
  if (file == nullptr) return system();
  std::uint8_t header[kHeaderSize];
  const std::size_t got = std::fread(header, 1, sizeof header, file.get());
  if (std::ferror(file.get()) != 0 || std::fseek(file.get(), 0, SEEK_END) != 0) return system();
  const long size = std::ftell(file.get());
  if (size < 0) return system();
  if (!check_header(header, got, static_cast<std::uint64_t>(size), error)) return false;
  bytes->resize(static_cast<std::size_t>(size));
  std::rewind(file.get());
  if (std::fread(bytes->data(), 1, bytes->size(), file.get()) == bytes->size()) return true;
  *error = "it became shorter while it was read";
  return false;
}

int describe(const Shape& shape, std::int64_t dims[3]) {
  dims[0] = shape.channels;
  dims[1] = shape.height;
  dims[2] = shape.width;
  return shape.rank;
}

bool check_run(const ticket_model* model, const float* input, std::int64_t images,
               const float* output, int threads, std::string* error) {
  if (model == nullptr) {
    *error = "ticket_run: the model is NULL";
  } else if (images < 0 || threads < 1) {
    *error = "ticket_run: " + std::to_string(images) + " images and " + std::to_string(threads) +
             " threads; there must be at least 0 and 1";
  } else if (images > 0 && (input == nullptr || output == nullptr)) {
    *error = "ticket_run: the input or the output is NULL";
  } else if (model->io.batch != 0 && images != model->io.batch) {
    *error = "ticket_run: " + std::to_string(images) + " images, but the export fixed " +
             std::to_string(model->io.batch) + " a run";
  } else if (images > std::numeric_limits<std::int64_t>::max() / 4 /
                          std::max(model->io.input, model->io.output)) {
    *error = "ticket_run: " + std::to_string(images) + " images are more than memory can hold";
  } else {
    return true;
  }
  return false;
}

}  // namespace

ticket_model* ticket_load_file(const char* path) {
  std::unique_ptr<ticket_model> model;
  if (path == nullptr) {
    fail("ticket_load_file", "the path is NULL");
    return nullptr;
  }
  guarded(path, [&](std::string* error) {
    Plan plan;
    {
      std::vector<std::uint8_t> bytes;  // given back before more is taken
      if (!read_file(path, &bytes, error)) return false;
      if (!decode(bytes.data(), bytes.size(), &plan, error)) return false;
    }
    return make_model(std::move(plan), &model, error);
  });
  return model.release();
}

ticket_model* ticket_load_bytes(const void* bytes, size_t size) {
  std::unique_ptr<ticket_model> model;
  if (bytes == nullptr) {
    fail("ticket_load_bytes", "the bytes are NULL");
    return nullptr;
  }
  guarded("", [&](std::string* error) {
    Plan plan;
    return decode(static_cast<const std::uint8_t*>(bytes), size, &plan, error) &&
           make_model(std::move(plan), &model, error);
  });
  return model.release();
}

void ticket_free(ticket_model* model) { delete model; }

int ticket_input_shape(const ticket_model* model, int64_t dims[3]) {
  return describe(model->input, dims);
}

int ticket_output_shape(const ticket_model* model, int64_t dims[3]) {
  return describe(model->output, dims);
}

int64_t ticket_batch(const ticket_model* model) { return model->io.batch; }

int ticket_takes_pixels(const ticket_model* model) { return model->metadata.takes_pixels ? 1 : 0; }

int64_t ticket_class_count(const ticket_model* model) {
  return static_cast<int64_t>(model->metadata.starts.size());
}

const char* ticket_class_name(const ticket_model* model, int64_t index) {
  if (index < 0 || index >= ticket_class_count(model)) return nullptr;
  return model->metadata.names.data() + model->metadata.starts[static_cast<std::size_t>(index)];
}

const char* ticket_metadata(const ticket_model* model) { return model->json.c_str(); }

int64_t ticket_memory(const ticket_model* model) {
  const Header* const header = inside<Header>(model->block.data(), 0);
  return header->arena(true, true) * static_cast<int64_t>(sizeof(float));
}

int ticket_run(const ticket_model* model, const float* input, int64_t images, float* output,
               int threads) {
  const bool good = guarded("", [&](std::string* error) {
    return check_run(model, input, images, output, threads, error) &&
           (images == 0 ||
            run(model->block.data(), input, output, images, threads, error));
  });
  return good ? 0 : 1;
}

const char* ticket_last_error(void) { return last_error; }

const char* ticket_version(void) { return TICKET_VERSION; }
