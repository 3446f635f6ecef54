#include "tests/unit/relay/file_source.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_SOURCE_BUFFER 4096u

struct file_source {
    struct source source;
    int fd;
    size_t envelope_bytes;
    unsigned *closed;
    char value[MESSAGE_ENVELOPE_FIELD_BYTES];
    uint8_t buffer[FILE_SOURCE_BUFFER];
};

static struct file_source *file_source_of(struct source *source)
{
    return (struct file_source *)source;
}

static enum status file_source_pieces(struct source *source, size_t offset, size_t length,
                                      struct iovec *vectors, unsigned count, unsigned *filled)
{
    struct file_source *file = file_source_of(source);
    size_t room = length < sizeof(file->buffer) ? length : sizeof(file->buffer);
    ssize_t got = pread(file->fd, file->buffer, room, (off_t)(file->envelope_bytes + offset));

    *filled = 0;
    if (got < 0 || count == 0)
        return STATUS_SYSTEM;
    if (got > 0)
        vectors[(*filled)++] = (struct iovec){.iov_base = file->buffer, .iov_len = (size_t)got};
    return STATUS_OK;
}

static enum status file_source_field(struct source *source, size_t *position,
                                     enum envelope_field *field, const char **value, size_t *length)
{
    struct file_source *file = file_source_of(source);
    struct envelope_field_header header;

    if (pread(file->fd, &header, sizeof(header), (off_t)*position) != sizeof(header) ||
        header.length > sizeof(file->value))
        return STATUS_BAD_FORMAT;
    if (header.field == ENVELOPE_END)
        return STATUS_NOT_FOUND;
    if (pread(file->fd, file->value, header.length, (off_t)(*position + sizeof(header))) !=
        header.length)
        return STATUS_BAD_FORMAT;
    *position += sizeof(header) + header.length;
    *field = (enum envelope_field)header.field;
    *value = file->value;
    *length = header.length;
    return STATUS_OK;
}

static bool file_source_current(const struct source *source)
{
    (void)source;
    return true;
}

static void file_source_close(struct source *source)
{
    struct file_source *file = file_source_of(source);

    ++*file->closed;
    close(file->fd);
    free(file);
}

static const struct source_kind file_source_kind = {.pieces = file_source_pieces,
                                                    .field = file_source_field,
                                                    .current = file_source_current,
                                                    .close = file_source_close};

struct source *file_source_open(int fd, size_t envelope_bytes, size_t trace_size, unsigned *closed)
{
    struct file_source *file = calloc(1, sizeof(*file));
    struct stat facts;

    if (file == NULL || fstat(fd, &facts) != 0) {
        free(file);
        return NULL;
    }
    file->fd = fd;
    file->envelope_bytes = envelope_bytes;
    file->closed = closed;
    file->source = (struct source){.kind = &file_source_kind,
                                   .holders = 1,
                                   .size = (size_t)facts.st_size - envelope_bytes,
                                   .trace_size = trace_size};
    return &file->source;
}
