/* The C API does from plain C what its header says, and answers every misuse with a line.
 * Takes the folder that test_samples wrote. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "ticket_runtime.h"

static char path[4096];

static const char* in_folder(const char* folder, const char* name) {
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

static void check_failed(const char* wanted) {
  if (strstr(ticket_last_error(), wanted) != NULL) return;
  fprintf(stderr, "wanted: %s\ngot:    %s\n", wanted, ticket_last_error());
  exit(1);
}

static void check_model(const ticket_model* model) {
  int64_t dims[3] = {0, 0, 0};
  CHECK(ticket_input_shape(model, dims) == 3);
  CHECK(dims[0] == 1 && dims[1] == 28 && dims[2] == 28);
  CHECK(ticket_output_shape(model, dims) == 1);
  CHECK(dims[0] == 10 && dims[1] == 1 && dims[2] == 1);
  CHECK(ticket_batch(model) == 0 && ticket_takes_pixels(model) == 1);
  CHECK(ticket_class_count(model) == 10);
  CHECK(strcmp(ticket_class_name(model, 0), "zero") == 0);
  CHECK(strcmp(ticket_class_name(model, 9), "nine \xe2\x80\x93 last") == 0);
  CHECK(ticket_class_name(model, 10) == NULL && ticket_class_name(model, -1) == NULL);
  CHECK(ticket_memory(model) >= 16 * 784 * 4 && ticket_memory(model) < 1 << 20);
  CHECK(strstr(ticket_metadata(model), "\"rows\"") != NULL);
}

/* Image i of a run has the two rows of class i % 10 white: the output is 56 there, else 0. */
static void check_run(const ticket_model* model, int images, int threads) {
  float* const input = calloc((size_t)images * 784 + 1, sizeof(float));
  float* const output = calloc((size_t)images * 10 + 1, sizeof(float));
  int i;
  int label;
  CHECK(input != NULL && output != NULL);
  output[images * 10] = 123.0f;
  for (i = 0; i < images; ++i) {
    int pixel;
    for (pixel = 0; pixel < 56; ++pixel) input[i * 784 + i % 10 * 56 + pixel] = 255.0f;
  }
  CHECK(ticket_run(model, input, images, output, threads) == 0);
  for (i = 0; i < images; ++i) {
    for (label = 0; label < 10; ++label) {
      const float wanted = label == i % 10 ? 56.0f : 0.0f;
      CHECK(output[i * 10 + label] > wanted - 1e-3f && output[i * 10 + label] < wanted + 1e-3f);
    }
  }
  CHECK(output[images * 10] == 123.0f);
  free(input);
  free(output);
}

static void check_misuse(const ticket_model* model) {
  float numbers[10];
  CHECK(ticket_run(NULL, numbers, 1, numbers, 1) != 0);
  check_failed("the model is NULL");
  CHECK(ticket_run(model, NULL, 1, numbers, 1) != 0);
  check_failed("is NULL");
  CHECK(ticket_run(model, numbers, 1, NULL, 1) != 0);
  check_failed("is NULL");
  CHECK(ticket_run(model, numbers, -1, numbers, 1) != 0);
  check_failed("-1 images");
  CHECK(ticket_run(model, numbers, 1, numbers, 0) != 0);
  check_failed("0 threads");
  CHECK(ticket_run(model, numbers, INT64_MAX / 8, numbers, 1) != 0);
  check_failed("more than memory can hold");
  CHECK(ticket_run(model, NULL, 0, NULL, 1) == 0);
}

static void check_refused(const char* folder) {
  static unsigned char bytes[4096];
  FILE* file;
  size_t size;
  CHECK(ticket_load_file(NULL) == NULL);
  check_failed("the path is NULL");
  CHECK(ticket_load_file(in_folder(folder, "absent.tkt")) == NULL);
  check_failed("absent.tkt: No such file");
  CHECK(ticket_load_file(folder) == NULL);
  check_failed("Is a directory");
  CHECK(ticket_load_file("/dev/zero") == NULL);
  check_failed("does not begin with TKTPLAN");
  CHECK(ticket_load_file("/dev/null") == NULL);
  CHECK(ticket_load_file(in_folder(folder, "grey-images")) == NULL);
  check_failed("grey-images: not an exported plan");
  CHECK(ticket_load_bytes(NULL, 5) == NULL);
  check_failed("the bytes are NULL");
  CHECK(ticket_load_bytes(bytes, 0) == NULL);
  check_failed("not an exported plan");

  file = fopen(in_folder(folder, "grey.tkt"), "rb");
  CHECK(file != NULL);
  size = fread(bytes, 1, sizeof bytes, file);
  fclose(file);
  CHECK(size > 1000 && size < sizeof bytes);
  CHECK(ticket_load_bytes(bytes, size - 1) == NULL);
  check_failed("copy it again");
  file = fopen(in_folder(folder, "short.tkt"), "wb");
  CHECK(file != NULL && fwrite(bytes, 1, size - 1, file) == size - 1);
  fclose(file);
  CHECK(ticket_load_file(in_folder(folder, "short.tkt")) == NULL);
  check_failed("short.tkt: the plan has");
  bytes[size - 1] ^= 1;
  CHECK(ticket_load_bytes(bytes, size) == NULL);
  check_failed("checksum");
}

int main(int count, char** arguments) {
  const char* folder;
  float* numbers;
  ticket_model* model;
  int images;
  CHECK(count == 2);
  folder = arguments[1];
  CHECK(strcmp(ticket_last_error(), "") == 0 && strlen(ticket_version()) >= 5);
  check_refused(folder);

  model = ticket_load_file(in_folder(folder, "grey.tkt"));
  CHECK(model != NULL);
  check_failed("checksum"); /* a success leaves the last failure's text */
  check_model(model);
  for (images = 1; images < 40; ++images) check_run(model, images, 1 + images % 3);
  check_misuse(model);
  ticket_free(model);
  ticket_free(NULL);

  model = ticket_load_file(in_folder(folder, "seven.tkt"));
  CHECK(model != NULL && ticket_batch(model) == 7);
  check_run(model, 7, 1);
  numbers = calloc(8 * 784, sizeof(float));
  CHECK(numbers != NULL && ticket_run(model, numbers, 6, numbers, 1) != 0);
  check_failed("6 images, but the export fixed 7");
  free(numbers);
  ticket_free(model);
  return 0;
}
