#include <errno.h>
#include <fcntl.h>
#include <hs/hs.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/why.h"
#include "signatures/prefilter/internal.h"

static enum status open_refuse(enum status status, const char *reason, struct why *why)
{
    why_set(why, "%s", reason);
    return status;
}

/* Maps the file read-only. */
static enum status open_map(struct prefilter *prefilter, const char *path, struct why *why)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    struct stat file;
    void *memory;
    enum status status;

    if (descriptor < 0) {
        status = errno == ENOENT ? STATUS_NOT_FOUND : STATUS_SYSTEM;
        return open_refuse(status, strerror(errno), why);
    }
    if (fstat(descriptor, &file) != 0) {
        status = open_refuse(STATUS_SYSTEM, strerror(errno), why);
        (void)close(descriptor);
        return status;
    }
    if (!S_ISREG(file.st_mode) || (uint64_t)file.st_size < sizeof(struct prefilter_header)) {
        (void)close(descriptor);
        return open_refuse(STATUS_BAD_FORMAT, "is no prefilter", why);
    }
    prefilter->bytes = (size_t)file.st_size;
    memory = mmap(NULL, prefilter->bytes, PROT_READ, MAP_SHARED, descriptor, 0);
    status = memory == MAP_FAILED ? open_refuse(STATUS_SYSTEM, strerror(errno), why) : STATUS_OK;
    (void)close(descriptor);
    prefilter->header = status == STATUS_OK ? memory : NULL;
    return status;
}

static bool open_contents_true(const struct prefilter *prefilter)
{
    const uint8_t *start = (const uint8_t *)(prefilter->header + 1);
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;

    return EVP_Digest(start, prefilter->bytes - sizeof(*prefilter->header), digest, &length,
                      EVP_sha256(), NULL) == 1 &&
           length == sizeof(prefilter->header->contents) &&
           memcmp(digest, prefilter->header->contents, length) == 0;
}

/* Null when the header is one that we understand and the contents are what was written. */
static const char *open_check_header(const struct prefilter *prefilter)
{
    const struct prefilter_header *header = prefilter->header;

    if (header->magic != PREFILTER_MAGIC)
        return "is no prefilter";
    if (header->format != PREFILTER_FORMAT)
        return "has another format: build it again";
    if (header->profile != PREFILTER_PROFILE)
        return "was made for other settings of the engine: build it again";
    if (header->bytes != prefilter->bytes)
        return "is cut, or too long";
    if (!open_contents_true(prefilter))
        return "is damaged: its SHA-256 is another";
    return NULL;
}

static const char *open_database_error(hs_error_t error)
{
    switch (error) {
    case HS_DB_VERSION_ERROR:
        return "was made for another version of Hyperscan: build it again";
    case HS_DB_PLATFORM_ERROR:
        return "was made for another CPU: build it again on this machine";
    case HS_DB_MODE_ERROR:
        return "has a database of the wrong mode";
    default:
        return "has a damaged database";
    }
}

/* Streaming databases have a stream size, others do not. */
static bool open_mode_right(const hs_database_t *database, bool streaming)
{
    size_t size;

    return (hs_stream_size(database, &size) == HS_SUCCESS) == streaming;
}

static enum status open_database(const struct prefilter *prefilter,
                                 const struct prefilter_section *section, bool streaming,
                                 struct hs_database **database, struct why *why)
{
    const char *bytes = (const char *)prefilter->header + section->offset;
    hs_database_t *found = NULL;
    hs_error_t error;

    *database = NULL;
    if (section->count == 0)
        return STATUS_OK;
    error = hs_deserialize_database(bytes, section->count, &found);
    if (error == HS_NOMEM)
        return open_refuse(STATUS_NO_MEMORY, status_text(STATUS_NO_MEMORY), why);
    if (error == HS_SUCCESS && !open_mode_right(found, streaming)) {
        (void)hs_free_database(found);
        error = HS_DB_MODE_ERROR;
    }
    if (error != HS_SUCCESS)
        return open_refuse(STATUS_BAD_FORMAT, open_database_error(error), why);
    *database = found;
    return STATUS_OK;
}

static enum status open_databases(struct prefilter *prefilter, struct why *why)
{
    const struct prefilter_header *header = prefilter->header;
    enum status status;

    if (hs_valid_platform() != HS_SUCCESS)
        return open_refuse(STATUS_BAD_FORMAT, "Hyperscan does not know this CPU", why);
    status = open_database(prefilter, &header->squeezed, true, &prefilter->squeezed, why);
    if (status == STATUS_OK)
        status = open_database(prefilter, &header->exact, true, &prefilter->exact, why);
    if (status == STATUS_OK)
        status = open_database(prefilter, &header->names, false, &prefilter->names, why);
    return status;
}

enum status prefilter_open(struct prefilter *prefilter, const char *path, struct why *why)
{
    const char *wrong;
    enum status status;

    *prefilter = (struct prefilter){0};
    status = open_map(prefilter, path, why);
    if (status != STATUS_OK)
        return status;
    wrong = open_check_header(prefilter);
    if (wrong == NULL)
        wrong = prefilter_check(prefilter);
    status =
        wrong == NULL ? open_databases(prefilter, why) : open_refuse(STATUS_BAD_FORMAT, wrong, why);
    if (status != STATUS_OK)
        prefilter_close(prefilter);
    return status;
}

void prefilter_close(struct prefilter *prefilter)
{
    hs_database_t *databases[] = {prefilter->squeezed, prefilter->exact, prefilter->names};

    for (size_t i = 0; i < sizeof(databases) / sizeof(databases[0]); i++)
        (void)hs_free_database(databases[i]);
    if (prefilter->header != NULL)
        (void)munmap((void *)(uintptr_t)prefilter->header, prefilter->bytes);
    *prefilter = (struct prefilter){0};
}
