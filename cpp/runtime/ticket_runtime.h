/* Runs the networks that `ticket export --format native` writes.  Plain C, no torch, no Python.
 *
 *   ticket_model* model = ticket_load_file("model.tkt");
 *   if (model == NULL) { puts(ticket_last_error()); return 1; }
 *   int64_t in[3], out[3];
 *   ticket_input_shape(model, in);    // 3 for an image: in = {3, 32, 32}
 *   ticket_output_shape(model, out);  // 1 for a vector: out = {10, 1, 1}
 *   if (ticket_run(model, pixels, 1, scores, 1) != 0) puts(ticket_last_error());
 *   ticket_free(model);
 *
 * Errors.  A function that can fail returns NULL or a number other than 0, and then
 * ticket_last_error() is one line that says why.  Nothing is thrown, printed or aborted.  Files
 * and bytes need not be trusted: everything in them is checked before it is used.  Loading takes
 * time and memory in proportion to the file; what a run takes is up to the shapes in the file, so
 * look at ticket_memory before you run a stranger's.
 *
 * Threads.  A loaded model never changes: any number of threads may call any function on one
 * model at the same time, except ticket_free, after which it is gone.  The memory for a run is
 * kept for the next one; it belongs to the process, not to the model.  A process may fork at any
 * time: its child runs the models, too, with threads of its own.
 *
 * Processor.  The fastest instruction set that it has is used.  The environment variable
 * TICKET_ISA (scalar, avx2 or avx512) forces one for models loaded afterwards; loading fails if
 * it names one that is not there. */
#ifndef TICKET_RUNTIME_H
#define TICKET_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define TICKET_API __attribute__((visibility("default")))
#else
#define TICKET_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* A network ready to run.  Owned by the caller from load to ticket_free. */
typedef struct ticket_model ticket_model;

/* Loads a file that `ticket export --format native` wrote; `path` as fopen takes it.  NULL for a
 * file that cannot be read or is not a whole and consistent plan, or if memory is short. */
TICKET_API ticket_model* ticket_load_file(const char* path);

/* The same from memory.  The bytes are not needed afterwards. */
TICKET_API ticket_model* ticket_load_bytes(const void* bytes, size_t size);

/* Frees a model; NULL is allowed.  No thread may be using it. */
TICKET_API void ticket_free(ticket_model* model);

/* The shape of one image without the batch.  Returns the rank: 3, with dims = {channels, height,
 * width}, or 1, with dims = {features, 1, 1}. */
TICKET_API int ticket_input_shape(const ticket_model* model, int64_t dims[3]);
TICKET_API int ticket_output_shape(const ticket_model* model, int64_t dims[3]);

/* The number of images that every run must have if the export fixed it, else 0: any number. */
TICKET_API int64_t ticket_batch(const ticket_model* model);

/* 1 if the network takes pixels as they are stored, 0 to 255, because `ticket export --normalize`
 * put the normalisation into it; 0 if the caller must normalise as the network was trained. */
TICKET_API int ticket_takes_pixels(const ticket_model* model);

/* The names of the classes, one for each output; 0 of them if the file names none.  A name is
 * UTF-8, ends with a zero byte and lives as long as the model; NULL for an index out of range. */
TICKET_API int64_t ticket_class_count(const ticket_model* model);
TICKET_API const char* ticket_class_name(const ticket_model* model, int64_t index);

/* What the exporter wrote about the network: a JSON object in UTF-8 that ends with a zero byte
 * and lives as long as the model. */
TICKET_API const char* ticket_metadata(const ticket_model* model);

/* How many bytes of memory each thread of a run works in. */
TICKET_API int64_t ticket_memory(const ticket_model* model);

/* Computes the outputs of `images` >= 0 images.  `input` holds images x channels x height x width
 * floats, row-major; `output` receives images x (the output's shape).  They must not overlap.
 * `threads` >= 1 is how many threads may work on this call, the caller's among them; whether more
 * than one pays is tried in the first short calls, with the same outputs.  Returns 0; or another
 * number, and then `output` holds nothing useful. */
TICKET_API int ticket_run(const ticket_model* model, const float* input, int64_t images,
                          float* output, int threads);

/* One line about the last failure in this thread, "" if there was none.  It stays until the next
 * failure in this thread. */
TICKET_API const char* ticket_last_error(void);

/* The version of this library, "1.2.3". */
TICKET_API const char* ticket_version(void);

#ifdef __cplusplus
}
#endif

#endif
