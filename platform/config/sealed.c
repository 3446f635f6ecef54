#include "platform/config/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/config/load.h"
#include "platform/config/locate.h"

#define SEALED_SEALS     (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define SEALED_BYTES_MAX (64u << 20)

static const char sealed_magic[16] = "postern config 1";

struct sealed_head {
    char magic[16];
    uint32_t number;
    uint32_t size; /* of the text behind */
    uint64_t digest;
    char path[CONFIG_PATH_BYTES]; /* where it was read, for texts */
};

/* FNV-1a. */
static uint64_t sealed_digest(const unsigned char *text, size_t size)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ text[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static bool sealed_write(int fd, const void *bytes, size_t size)
{
    const char *at = bytes;

    while (size > 0) {
        ssize_t wrote = write(fd, at, size);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return false;
        at += wrote;
        size -= (size_t)wrote;
    }
    return true;
}

/* A memory file with `head` and `text`, or -1. */
static int sealed_file(const struct sealed_head *head, const unsigned char *text)
{
    int fd = memfd_create("postern.yaml", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd >= 0 && sealed_write(fd, head, sizeof(*head)) && sealed_write(fd, text, head->size) &&
        fcntl(fd, F_ADD_SEALS, SEALED_SEALS) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

enum status sealed_make(const char *path, uint32_t number, struct config **config, int *fd,
                        struct config_errors *errors)
{
    struct sealed_head head = {.number = number};
    unsigned char *text = NULL;
    size_t size = 0;
    enum status status;

    *fd = -1;
    *config = NULL;
    memset(errors, 0, sizeof(*errors));
    status = load_bytes(path, &text, &size, errors);
    if (status == STATUS_OK)
        status = load_text(path, text, size, config, errors);
    if (status == STATUS_OK) {
        memcpy(head.magic, sealed_magic, sizeof(head.magic));
        head.size = (uint32_t)size;
        head.digest = sealed_digest(text, size);
        snprintf(head.path, sizeof(head.path), "%s", path);
        (*config)->number = number;
        (*config)->digest = head.digest;
        *fd = sealed_file(&head, text);
        if (*fd < 0) {
            status = STATUS_SYSTEM;
            (void)locate_fail_at(path, errors, 0, 0, "cannot be kept in memory: %s",
                                 strerror(errno));
            config_free(*config);
            *config = NULL;
        }
    }
    free(text);
    return status;
}

/* What is wrong with `head` and `bytes` of a file, or null. */
static const char *sealed_wrong(const struct sealed_head *head, size_t bytes)
{
    if (memcmp(head->magic, sealed_magic, sizeof(head->magic)) != 0)
        return "is no configuration of this version";
    if (head->number == 0 || head->size > SEALED_BYTES_MAX || bytes != sizeof(*head) + head->size)
        return "is not as long as it says";
    if (memchr(head->path, '\0', sizeof(head->path)) == NULL)
        return "has no path";
    if (sealed_digest((const unsigned char *)(head + 1), head->size) != head->digest)
        return "is not what its digest says";
    return NULL;
}

static enum status sealed_refuse(struct config_errors *errors, const char *why)
{
    (void)locate_fail_at("sealed configuration", errors, 0, 0, "%s", why);
    return STATUS_BAD_FORMAT;
}

enum status sealed_open(int fd, struct config **config, struct config_errors *errors)
{
    const struct sealed_head *head = MAP_FAILED;
    enum status status = STATUS_OK;
    const char *wrong = NULL;
    struct stat about;
    size_t bytes = 0;

    *config = NULL;
    memset(errors, 0, sizeof(*errors));
    /* Before it is looked at: what is sealed stays as it is seen. */
    if (fcntl(fd, F_GET_SEALS) != SEALED_SEALS || fstat(fd, &about) != 0)
        return sealed_refuse(errors, "is not sealed");
    if (about.st_size < (off_t)sizeof(*head) ||
        about.st_size > (off_t)(sizeof(*head) + SEALED_BYTES_MAX))
        return sealed_refuse(errors, "is not as long as it says");
    bytes = (size_t)about.st_size;
    head = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    if (head == MAP_FAILED)
        return sealed_refuse(errors, "cannot be mapped");
    wrong = sealed_wrong(head, bytes);
    if (wrong == NULL)
        status =
            load_text(head->path, (const unsigned char *)(head + 1), head->size, config, errors);
    else
        status = sealed_refuse(errors, wrong);
    if (status == STATUS_OK) {
        (*config)->number = head->number;
        (*config)->digest = head->digest;
    }
    munmap((void *)head, bytes);
    return status;
}
