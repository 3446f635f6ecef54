/* The library's half: functions it exports for its own tests and tools, without a header. */
#include <clamav.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/check.h"
#include "tests/oracle/html/oracle.h"

bool html_normalise_mem(void *scan, unsigned char *bytes, off_t length, const char *folder,
                        void *hrefs, const void *switches);
bool html_normalise_map(void *scan, cl_fmap_t *map, const char *folder, void *hrefs,
                        const void *switches);

static char folder[] = "/dev/shm/postern-oracle-html-XXXXXX";
static char nocomment_path[128];
static char notags_path[128];
static char script_path[128];
static char data_path[128];

void library_open(void)
{
    CHECK(mkdtemp(folder) != NULL);
    (void)snprintf(nocomment_path, sizeof(nocomment_path), "%s/nocomment.html", folder);
    (void)snprintf(notags_path, sizeof(notags_path), "%s/notags.html", folder);
    (void)snprintf(script_path, sizeof(script_path), "%s/javascript", folder);
    (void)snprintf(data_path, sizeof(data_path), "%s/rfc2397", folder);
    CHECK(cl_init(CL_INIT_DEFAULT) == CL_SUCCESS);
}

void library_close(void)
{
    (void)unlink(nocomment_path);
    (void)unlink(notags_path);
    (void)unlink(script_path);
    (void)rmdir(data_path);
    (void)rmdir(folder);
}

static void library_read(struct bytes *bytes, const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t buffer[65536];
    ssize_t got;

    CHECK(file >= 0);
    while ((got = read(file, buffer, sizeof(buffer))) > 0)
        bytes_add(bytes, buffer, (size_t)got);
    CHECK(got == 0);
    (void)close(file);
}

static off_t library_pread(void *handle, void *to, size_t count, off_t offset)
{
    return pread((int)(intptr_t)handle, to, count, offset);
}

static void library_map(const uint8_t *bytes, size_t length)
{
    int file = memfd_create("part", MFD_CLOEXEC);
    cl_fmap_t *map;

    CHECK(file >= 0 && write(file, bytes, length) == (ssize_t)length);
    map = cl_fmap_open_handle((void *)(intptr_t)file, 0, length, library_pread, 1);
    CHECK(map != NULL);
    (void)html_normalise_map(NULL, map, folder, NULL, NULL);
    cl_fmap_close(map);
    (void)close(file);
}

void library_normalise(struct forms *forms, const uint8_t *bytes, size_t length, bool map)
{
    forms_clear(forms);
    if (map && length > 0) {
        library_map(bytes, length);
    } else {
        /* It writes into its input. */
        uint8_t *copy = malloc(length + 1);

        CHECK(copy != NULL);
        memcpy(copy, bytes, length);
        (void)html_normalise_mem(NULL, copy, (off_t)length, folder, NULL, NULL);
        free(copy);
    }
    library_read(&forms->nocomment, nocomment_path);
    library_read(&forms->notags, notags_path);
    if (access(script_path, F_OK) == 0 || access(data_path, F_OK) == 0) {
        forms->more = true;
        (void)unlink(script_path);
        /* What is in it keeps it there: one such case ends the run anyway. */
        (void)rmdir(data_path);
    }
}
