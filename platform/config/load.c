#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/check.h"
#include "platform/config/load.h"
#include "platform/config/locate.h"
#include "platform/config/read.h"
#include "platform/config/schema.h"
#include "platform/config/unknown.h"
#include "platform/config/verify.h"

#define FILE_BYTES_MAX (64u << 20)

/* Two mistakes at one place stay in the order they were found. */
static void load_sort_errors(struct config_errors *errors)
{
    for (unsigned i = 1; i < errors->count; i++) {
        struct config_error error = errors->list[i];
        unsigned j = i;

        for (; j > 0 && (errors->list[j - 1].line > error.line ||
                         (errors->list[j - 1].line == error.line &&
                          errors->list[j - 1].column > error.column));
             j--)
            errors->list[j] = errors->list[j - 1];
        errors->list[j] = error;
    }
}

static enum status load_read_text(const char *path, const unsigned char *text, size_t size,
                                  struct config *config, struct config_errors *errors)
{
    struct locate locate;
    enum status status = locate_init(&locate, path, text, size, errors);

    if (status == STATUS_OK)
        status = read_file_tree(&locate, config);
    if (status == STATUS_OK)
        status = verify_config(&locate, config);
    locate_fini(&locate);
    load_sort_errors(errors);
    return status;
}

/* Fills *text, allocated one byte larger than the file so that growth is noticed. */
static enum status load_read_open(int fd, const char *path, unsigned char **text, size_t *size,
                                  struct config_errors *errors)
{
    struct stat about;
    size_t room = 0;

    if (fstat(fd, &about) != 0)
        return locate_fail_at(path, errors, 0, 0, "cannot be read: %s", strerror(errno));
    if (!S_ISREG(about.st_mode))
        return locate_fail_at(path, errors, 0, 0, "is no regular file; name one");
    if (about.st_size > FILE_BYTES_MAX)
        return locate_fail_at(path, errors, 0, 0, "is larger than %u bytes; write less",
                              FILE_BYTES_MAX);
    room = (size_t)about.st_size + 1;
    *text = malloc(room);
    if (!*text) {
        (void)locate_fail_at(path, errors, 0, 0, "out of memory while loading");
        return STATUS_NO_MEMORY;
    }
    for (*size = 0; *size < room;) {
        ssize_t got = read(fd, *text + *size, room - *size);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return locate_fail_at(path, errors, 0, 0, "cannot be read: %s", strerror(errno));
        if (got == 0)
            return STATUS_OK;
        *size += (size_t)got;
    }
    return locate_fail_at(path, errors, 0, 0, "grew while it was read; try again");
}

enum status load_bytes(const char *path, unsigned char **text, size_t *size,
                       struct config_errors *errors)
{
    enum status status = STATUS_OK;
    int fd = -1;

    if (strlen(path) >= CONFIG_PATH_BYTES)
        return locate_fail_at("configuration", errors, 0, 0,
                              "the path is longer than %u bytes; use a shorter one",
                              CONFIG_PATH_BYTES - 1);
    /* O_NONBLOCK: opening a named pipe must not hang; it is refused afterwards. */
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        int cause = errno;

        (void)locate_fail_at(path, errors, 0, 0, "cannot be opened: %s; check name and permissions",
                             strerror(cause));
        return cause == ENOENT ? STATUS_NOT_FOUND : STATUS_BAD_CONFIG;
    }
    status = load_read_open(fd, path, text, size, errors);
    close(fd);
    if (status != STATUS_OK) {
        free(*text);
        *text = NULL;
    }
    return status;
}

enum status load_text(const char *path, const unsigned char *text, size_t size,
                      struct config **config, struct config_errors *errors)
{
    struct config *loaded = calloc(1, sizeof(*loaded));
    enum status status = STATUS_NO_MEMORY;

    *config = NULL;
    if (loaded) {
        snprintf(loaded->file, sizeof(loaded->file), "%s", path);
        status = load_read_text(path, text, size, loaded, errors);
    }
    if (status == STATUS_OK) {
        *config = loaded;
        return STATUS_OK;
    }
    config_free(loaded);
    if (status == STATUS_NO_MEMORY) {
        errors->count = 0;
        (void)locate_fail_at(path, errors, 0, 0, "out of memory while loading");
    }
    return status;
}

enum status config_load_all(const char *path, struct config **config, struct config_errors *errors)
{
    unsigned char *text = NULL;
    size_t size = 0;
    enum status status = STATUS_OK;

    *config = NULL;
    memset(errors, 0, sizeof(*errors));
    status = load_bytes(path, &text, &size, errors);
    if (status == STATUS_OK)
        status = load_text(path, text, size, config, errors);
    free(text);
    return status;
}

enum status config_load(const char *path, struct config **config, struct config_error *error)
{
    struct config_errors errors;
    enum status status = config_load_all(path, config, &errors);

    *error = errors.list[0]; /* zeroed when there is none */
    return status;
}

void config_free(struct config *config)
{
    if (!config)
        return;
    config_unindex(config);
    read_free(&schema_file, config);
    free(config);
}

void config_scanner_defaults(struct config_scanner *scanner)
{
    const struct schema_key *key = unknown_find(&schema_file, "scanner");

    CHECK(key != NULL && key->size == sizeof(*scanner));
    memset(scanner, 0, sizeof(*scanner));
    read_defaults(key->group, scanner);
}
