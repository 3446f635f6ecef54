#include "tests/oracle/decode/scan.h"

#include <clamav.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct scan {
    struct cl_engine *engine;
    char scratch[64];
    struct scan_files files;
};

static cl_error_t scan_layer(int fd, const char *type, const char **ancestors, size_t parent_bytes,
                             const char *name, size_t length, const char *bytes, uint32_t level,
                             uint32_t attributes, void *context)
{
    struct scan_files *files = context;
    struct scan_file *file;

    (void)fd;
    (void)ancestors;
    (void)parent_bytes;
    (void)name;
    (void)attributes;
    if (level == 0)
        files->mail = strcmp(type, "CL_TYPE_MAIL") == 0;
    if (level != 1 || files->count == SCAN_FILES_MAX)
        return CL_CLEAN;
    file = &files->entries[files->count];
    file->bytes = malloc(length + 1);
    if (file->bytes == NULL || bytes == NULL)
        abort();
    memcpy(file->bytes, bytes, length);
    file->length = length;
    (void)snprintf(file->type, sizeof(file->type), "%s", type);
    files->count++;
    return CL_CLEAN;
}

/* An engine without any signature would not look at anything. The options are the scanner's:
 * whether links are looked at changes what the parts become. */
static bool scan_load(struct scan *scan)
{
    char path[96];
    unsigned count = 0;
    FILE *file;
    bool written;

    (void)snprintf(path, sizeof(path), "%s/none.ndb", scan->scratch);
    file = fopen(path, "w");
    if (file == NULL)
        return false;
    written = fputs("None:0:*:6e6f7420616e797768657265206174206d6f7374\n", file) >= 0;
    written = fclose(file) == 0 && written;
    return written && cl_load(path, scan->engine, &count, CL_DB_STDOPT) == CL_SUCCESS;
}

struct scan *scan_open(void)
{
    struct scan *scan = calloc(1, sizeof(*scan));

    if (scan == NULL)
        return NULL;
    (void)snprintf(scan->scratch, sizeof(scan->scratch), "%s/oracle-decode-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (mkdtemp(scan->scratch) != NULL && cl_init(CL_INIT_DEFAULT) == CL_SUCCESS &&
        (scan->engine = cl_engine_new()) != NULL &&
        cl_engine_set_str(scan->engine, CL_ENGINE_TMPDIR, scan->scratch) == CL_SUCCESS &&
        cl_engine_set_num(scan->engine, CL_ENGINE_DISABLE_CACHE, 1) == CL_SUCCESS &&
        scan_load(scan)) {
        cl_engine_set_clcb_file_inspection(scan->engine, scan_layer);
        if (cl_engine_compile(scan->engine) == CL_SUCCESS)
            return scan;
    }
    (void)fprintf(stderr, "oracle_decode: no engine\n");
    scan_close(scan);
    return NULL;
}

static int scan_remove(const char *path, const struct stat *file, int kind, struct FTW *walk)
{
    (void)file;
    (void)kind;
    (void)walk;
    (void)remove(path);
    return 0;
}

static void scan_forget(struct scan *scan)
{
    for (unsigned i = 0; i < scan->files.count; i++)
        free(scan->files.entries[i].bytes);
    scan->files.count = 0;
    scan->files.mail = false;
}

void scan_close(struct scan *scan)
{
    scan_forget(scan);
    if (scan->engine != NULL)
        (void)cl_engine_free(scan->engine);
    (void)nftw(scan->scratch, scan_remove, 16, FTW_DEPTH | FTW_PHYS);
    free(scan);
}

bool scan_mail(struct scan *scan, const uint8_t *mail, size_t length, struct scan_files **files)
{
    struct cl_scan_options options = {.parse = ~0u};
    const char *virus = NULL;
    unsigned long scanned = 0;
    cl_fmap_t *map = cl_fmap_open_memory(mail, length);
    cl_error_t result;

    scan_forget(scan);
    if (map == NULL)
        return false;
    result = cl_scanmap_callback(map, NULL, &virus, &scanned, scan->engine, &options, &scan->files);
    cl_fmap_close(map);
    if (result != CL_CLEAN)
        (void)fprintf(stderr, "oracle_decode: %s\n", cl_strerror(result));
    *files = &scan->files;
    return result == CL_CLEAN;
}
