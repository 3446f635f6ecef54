#include "dataplane/offline/content.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/smtp/received.h"

#define CONTENT_MBOX      "From "
#define CONTENT_MBOX_LINE 1000u /* a longer first line is no separator */
#define CONTENT_NAME_MAX  200u  /* longer field names are not seen in mail */

static size_t content_mbox_line(const uint8_t *bytes, size_t size)
{
    const uint8_t *end;

    if (size < sizeof(CONTENT_MBOX) || memcmp(bytes, CONTENT_MBOX, sizeof(CONTENT_MBOX) - 1) != 0)
        return 0;
    end = memchr(bytes, '\n', size < CONTENT_MBOX_LINE ? size : CONTENT_MBOX_LINE);
    return end == NULL ? 0 : (size_t)(end - bytes) + 1;
}

/* field-name ":" with the obsolete white space before the colon (RFC 5322 2.2, 4.5). */
static bool content_is_field(const uint8_t *bytes, size_t size)
{
    size_t i = 0;

    while (i < size && i < CONTENT_NAME_MAX && bytes[i] > 32 && bytes[i] < 127 && bytes[i] != ':')
        i++;
    if (i == 0)
        return false;
    while (i < size && i < CONTENT_NAME_MAX && (bytes[i] == ' ' || bytes[i] == '\t'))
        i++;
    return i < size && bytes[i] == ':';
}

/* What kind of file it is, and where what is stored of it begins. */
static void content_look(struct content *content)
{
    size_t separator = content_mbox_line(content->bytes, content->size);

    content->kind = CONTENT_FILE;
    content->begin = 0;
    content->line_feeds = false;
    if (separator == 0 && !content_is_field(content->bytes, content->size))
        return;
    content->kind = CONTENT_MESSAGE;
    content->begin = separator;
    content->line_feeds =
        content->size > separator &&
        memmem(content->bytes + separator, content->size - separator, "\r\n", 2) == NULL;
}

static bool content_lacks_end(const struct content *content)
{
    const uint8_t *end = content->bytes + content->size;
    size_t length = content->size - content->begin;

    if (content->kind == CONTENT_FILE || length == 0)
        return false;
    if (content->line_feeds)
        return end[-1] != '\n';
    return length < 2 || end[-1] != '\n' || end[-2] != '\r';
}

uint64_t content_message_bytes(const struct content *content)
{
    uint64_t bytes = content->size - content->begin;

    if (content_lacks_end(content))
        bytes += 2;
    if (content->line_feeds) {
        for (size_t i = content->begin; i < content->size; i++)
            bytes += content->bytes[i] == '\n';
    }
    return bytes;
}

/* Reads on until the end, or until one byte more than `most`. */
static enum status content_fill(struct content *content, int fd, uint64_t most)
{
    content->size = 0;
    for (;;) {
        ssize_t length;

        if (content->size == content->room) {
            size_t room = content->room == 0 ? 65536 : content->room * 2;
            uint8_t *bytes = realloc(content->bytes, room);

            if (bytes == NULL)
                return STATUS_NO_MEMORY;
            content->bytes = bytes;
            content->room = room;
        }
        length = read(fd, content->bytes + content->size, content->room - content->size);
        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            return STATUS_SYSTEM;
        content->size += (size_t)length;
        if (length == 0 || content->size > most)
            return STATUS_OK;
    }
}

enum status content_read(struct content *content, const char *path, uint64_t limit_bytes)
{
    /* Not blocking: the file may have become a pipe since it was listed. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat file;
    enum status status;
    int saved;

    if (fd < 0)
        return STATUS_SYSTEM;
    if (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode)) {
        close(fd);
        errno = EINVAL;
        return STATUS_SYSTEM;
    }
    status = content_fill(content, fd, limit_bytes + CONTENT_MBOX_LINE);
    saved = errno;
    close(fd);
    errno = saved;
    if (status != STATUS_OK)
        return status;
    content_look(content);
    return content_message_bytes(content) > limit_bytes ? STATUS_NO_SPACE : STATUS_OK;
}

static enum status content_store_trace(struct store *store, struct message *message,
                                       const char *hostname, int64_t wall_seconds)
{
    struct smtp_received received = {
        .helo = "localhost",
        .client = "127.0.0.1",
        .host = hostname,
        .id = message->id,
        .esmtp = true,
        .wall_seconds = wall_seconds,
    };
    char text[SMTP_RECEIVED_BYTES];
    size_t length = smtp_received_write(&received, text);
    enum status status = message_append_bytes(store, message, text, length);

    message_mark_trace(message);
    return status;
}

/* Line by line, each LF as CRLF. */
static enum status content_store_lines(const struct content *content, struct store *store,
                                       struct message *message)
{
    const uint8_t *at = content->bytes + content->begin;
    const uint8_t *end = content->bytes + content->size;
    enum status status = STATUS_OK;

    while (at < end && status == STATUS_OK) {
        const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((newline == NULL ? end : newline) - at);

        status = message_append_bytes(store, message, at, length);
        at += length;
        if (newline == NULL || status != STATUS_OK)
            break;
        status = message_append_bytes(store, message, "\r\n", 2);
        at++;
    }
    return status;
}

enum status content_store(const struct content *content, struct store *store,
                          struct message *message, const char *hostname, int64_t wall_seconds)
{
    enum status status = STATUS_OK;

    if (content->kind == CONTENT_MESSAGE)
        status = content_store_trace(store, message, hostname, wall_seconds);
    if (status != STATUS_OK)
        return status;
    if (content->line_feeds)
        status = content_store_lines(content, store, message);
    else
        status = message_append_bytes(store, message, content->bytes + content->begin,
                                      content->size - content->begin);
    if (status == STATUS_OK && content_lacks_end(content))
        status = message_append_bytes(store, message, "\r\n", 2);
    return status;
}

void content_free(struct content *content)
{
    free(content->bytes);
    *content = (struct content){0};
}
