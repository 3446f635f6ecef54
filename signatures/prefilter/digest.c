#include "signatures/prefilter/digest.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIGEST_ATTEMPTS 3u
#define DIGEST_PAUSE_US 50000 /* before it is read again */

static_assert(PREFILTER_DIGEST_BYTES == 32, "SHA-256");

struct digest {
    EVP_MD_CTX *context;
    uint8_t *buffer;
    bool failed; /* OpenSSL says so for want of memory only */
};

/* readdb.h of ClamAV 1.4 (CLI_DBEXT), built with YARA as Debian's is. */
bool database_file(const char *name)
{
    static const char *const endings[] = {
        ".cat", ".cbc", ".cdb", ".cfg", ".cld",  ".crb",  ".cud", ".cvd", ".db",   ".fp",
        ".ftm", ".gdb", ".hdb", ".hdu", ".hsb",  ".hsu",  ".idb", ".ign", ".ign2", ".imp",
        ".ioc", ".ldb", ".ldu", ".mdb", ".mdu",  ".msb",  ".msu", ".ndb", ".ndu",  ".pdb",
        ".rmd", ".sdb", ".sfp", ".wdb", ".pwdb", ".yara", ".yar", ".zmd",
    };
    size_t length = strlen(name);

    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        size_t ending = strlen(endings[i]);

        if (length >= ending && strcasecmp(name + length - ending, endings[i]) == 0)
            return true;
    }
    return false;
}

static void digest_bytes(struct digest *digest, const void *bytes, size_t length)
{
    if (EVP_DigestUpdate(digest->context, bytes, length) != 1)
        digest->failed = true;
}

static void digest_number(struct digest *digest, uint64_t number)
{
    uint8_t bytes[8];

    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(number >> 8 * i);
    digest_bytes(digest, bytes, sizeof(bytes));
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* The change time cannot be set back, so it alone would do for a file on a local disk. */
static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           same_time(a->st_mtim, b->st_mtim) && same_time(a->st_ctim, b->st_ctim);
}

/* As many bytes as the file is long. STATUS_AGAIN when it ends early or goes on. */
static enum status digest_contents(struct digest *digest, int fd, uint64_t size)
{
    uint64_t taken = 0;

    for (;;) {
        ssize_t length = read(fd, digest->buffer, DIGEST_BUFFER_BYTES);

        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            return STATUS_SYSTEM;
        if (length == 0)
            return taken == size ? STATUS_OK : STATUS_AGAIN;
        taken += (uint64_t)length;
        if (taken > size)
            return STATUS_AGAIN;
        digest_bytes(digest, digest->buffer, (size_t)length);
    }
}

static enum status digest_open_file(struct digest *digest, int fd, const char *name,
                                    struct stat *seen)
{
    struct stat after;
    enum status status;

    if (fstat(fd, seen) != 0)
        return STATUS_SYSTEM;
    if (!S_ISREG(seen->st_mode))
        return STATUS_BAD_ARGUMENT;
    digest_number(digest, strlen(name));
    digest_bytes(digest, name, strlen(name));
    digest_number(digest, (uint64_t)seen->st_size);
    status = digest_contents(digest, fd, (uint64_t)seen->st_size);
    if (status != STATUS_OK)
        return status;
    if (fstat(fd, &after) != 0)
        return STATUS_SYSTEM;
    return same_file(seen, &after) ? STATUS_OK : STATUS_AGAIN;
}

/* `path` relative to `directory`; `name` is what counts as its name. */
static enum status digest_file(struct digest *digest, int directory, const char *path,
                               const char *name, struct stat *seen)
{
    /* Not blocking: it may be a pipe. */
    int fd = openat(directory, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    enum status status;
    int saved;

    if (fd < 0)
        return errno == ENOENT ? STATUS_NOT_FOUND : STATUS_SYSTEM;
    status = digest_open_file(digest, fd, name, seen);
    saved = errno;
    (void)close(fd);
    errno = saved;
    return status;
}

struct name_list {
    char **names;
    struct stat *seen; /* of each, when it was read */
    size_t count;
};

static void names_free(struct name_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->names[i]);
    free(list->names);
    free(list->seen);
    *list = (struct name_list){0};
}

static int names_order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum status names_fill(struct name_list *list, DIR *stream)
{
    struct dirent *entry;

    while (errno = 0, (entry = readdir(stream)) != NULL) {
        if (!database_file(entry->d_name))
            continue;
        if (list->count == DIGEST_FILES_MAX)
            return STATUS_NO_SPACE;
        list->names[list->count] = strdup(entry->d_name);
        if (list->names[list->count] == NULL)
            return STATUS_NO_MEMORY;
        list->count++;
    }
    return errno == 0 ? STATUS_OK : STATUS_SYSTEM;
}

/* The database files of a directory, sorted. */
static enum status names_read(struct name_list *list, int directory)
{
    int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    enum status status = STATUS_SYSTEM;

    *list = (struct name_list){0};
    if (stream == NULL) {
        if (fd >= 0)
            (void)close(fd);
        return STATUS_SYSTEM;
    }
    list->names = calloc(DIGEST_FILES_MAX, sizeof(*list->names));
    list->seen = calloc(DIGEST_FILES_MAX, sizeof(*list->seen));
    status =
        list->names == NULL || list->seen == NULL ? STATUS_NO_MEMORY : names_fill(list, stream);
    (void)closedir(stream);
    if (status == STATUS_OK)
        qsort(list->names, list->count, sizeof(*list->names), names_order);
    else
        names_free(list);
    return status;
}

/* What vanishes between the listing and the reading is a change like any other. */
static enum status digest_names(struct digest *digest, int directory, struct name_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        enum status status =
            digest_file(digest, directory, list->names[i], list->names[i], &list->seen[i]);

        if (status != STATUS_OK)
            return status == STATUS_NOT_FOUND ? STATUS_AGAIN : status;
    }
    for (size_t i = 0; i < list->count; i++) {
        struct stat after;

        if (fstatat(directory, list->names[i], &after, 0) != 0 ||
            !same_file(&list->seen[i], &after))
            return STATUS_AGAIN;
    }
    return STATUS_OK;
}

static enum status digest_directory(struct digest *digest, int directory)
{
    struct name_list list;
    struct stat before;
    struct stat after;
    enum status status;

    if (fstat(directory, &before) != 0)
        return STATUS_SYSTEM;
    status = names_read(&list, directory);
    if (status != STATUS_OK)
        return status;
    digest_number(digest, list.count);
    status = digest_names(digest, directory, &list);
    names_free(&list);
    if (status != STATUS_OK)
        return status;
    if (fstat(directory, &after) != 0)
        return STATUS_SYSTEM;
    /* Not its size: a name that came and went may have made it grow. */
    return same_time(before.st_mtim, after.st_mtim) && same_time(before.st_ctim, after.st_ctim)
               ? STATUS_OK
               : STATUS_AGAIN;
}

static enum status digest_path(struct digest *digest, const char *path)
{
    const char *slash = strrchr(path, '/');
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum status status;
    struct stat seen;
    int saved;

    digest_bytes(digest, "postern database 1", 18);
    if (directory < 0 && errno == ENOENT)
        return STATUS_NOT_FOUND;
    if (directory < 0 && errno != ENOTDIR)
        return STATUS_SYSTEM;
    if (directory < 0)
        return digest_file(digest, AT_FDCWD, path, slash == NULL ? path : slash + 1, &seen);
    status = digest_directory(digest, directory);
    saved = errno;
    (void)close(directory);
    errno = saved;
    return status;
}

enum status database_digest(const char *path, uint8_t value[PREFILTER_DIGEST_BYTES])
{
    struct digest digest = {.context = EVP_MD_CTX_new(), .buffer = malloc(DIGEST_BUFFER_BYTES)};
    enum status status = STATUS_AGAIN;
    int saved;

    for (unsigned attempt = 0; attempt < DIGEST_ATTEMPTS && status == STATUS_AGAIN; attempt++) {
        if (attempt > 0)
            (void)usleep(DIGEST_PAUSE_US);
        digest.failed = digest.context == NULL || digest.buffer == NULL ||
                        EVP_DigestInit_ex(digest.context, EVP_sha256(), NULL) != 1;
        status = digest.failed ? STATUS_NO_MEMORY : digest_path(&digest, path);
    }
    if (status == STATUS_OK &&
        (digest.failed || EVP_DigestFinal_ex(digest.context, value, NULL) != 1))
        status = STATUS_NO_MEMORY;
    if (status != STATUS_OK)
        memset(value, 0, PREFILTER_DIGEST_BYTES);
    saved = errno;
    EVP_MD_CTX_free(digest.context);
    free(digest.buffer);
    errno = saved;
    return status;
}
