#include "tests/oracle/library.h"
#include "platform/why.h"

#include <clamav.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBRARY_SCRATCH_DEPTH 32

struct library {
    struct engine *engine;
    bool watched;
    char scratch[64];
};

/* The linker sends engine.c's call here (-Wl,--wrap): the one moment the engine can be asked to
 * tell its layers. */
cl_error_t __real_cl_engine_compile(struct cl_engine *engine);
cl_error_t __wrap_cl_engine_compile(struct cl_engine *engine);

cl_error_t __wrap_cl_engine_compile(struct cl_engine *engine)
{
    witness_engine(engine);
    return __real_cl_engine_compile(engine);
}

struct library *library_open(const char *database, bool watched, struct why *why)
{
    struct engine_options options;
    struct config_scanner scanner;
    struct library *library = calloc(1, sizeof(*library));
    const char *memory = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

    if (library == NULL)
        return NULL;
    (void)snprintf(library->scratch, sizeof(library->scratch), "%s/oracle-XXXXXX", memory);
    config_scanner_defaults(&scanner);
    engine_options_set(&options, &scanner);
    options.database = database;
    library->watched = watched;
    witness_unfiltered(watched);
    if (mkdtemp(library->scratch) == NULL) {
        why_set(why, "%s: %s", library->scratch, strerror(errno));
        free(library);
        return NULL;
    }
    if (engine_open(&library->engine, &options, why) != STATUS_OK ||
        engine_use_scratch(library->engine, library->scratch) != STATUS_OK) {
        library_close(library);
        return NULL;
    }
    engine_quiet();
    return library;
}

static int library_remove(const char *path, const struct stat *file, int kind, struct FTW *walk)
{
    (void)file;
    (void)kind;
    (void)walk;
    (void)remove(path);
    return 0;
}

void library_close(struct library *library)
{
    if (library == NULL)
        return;
    engine_close(library->engine);
    (void)nftw(library->scratch, library_remove, LIBRARY_SCRATCH_DEPTH, FTW_DEPTH | FTW_PHYS);
    free(library);
}

static off_t library_read(void *context, void *to, size_t count, off_t offset)
{
    const struct bytes *message = context;

    if (offset < 0 || (size_t)offset > message->length)
        return -1;
    if (count > message->length - (size_t)offset)
        count = message->length - (size_t)offset;
    memcpy(to, message->data + offset, count);
    return (off_t)count;
}

void library_scan(struct library *library, const struct bytes *message, struct scan_result *result)
{
    struct bytes borrowed = *message;
    const struct engine_input input = {library_read, &borrowed, (uint32_t)message->length};

    *result = (struct scan_result){0};
    if (library->watched)
        witness_begin();
    engine_scan(library->engine, &input, result);
    witness_end();
}

const char *library_version(void)
{
    return cl_retver();
}
