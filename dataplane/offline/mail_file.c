#include "dataplane/offline/mail_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/smtp/received.h"

#define MAIL_FILE_MBOX      "From "
#define MAIL_FILE_MBOX_LINE 1000u /* a longer first line is no separator */
#define MAIL_FILE_NAME_MAX  200u  /* longer field names are not seen in mail */

static size_t mail_file_mbox_line(const uint8_t *bytes, size_t size)
{
    const uint8_t *end;

    if (size < sizeof(MAIL_FILE_MBOX) ||
        memcmp(bytes, MAIL_FILE_MBOX, sizeof(MAIL_FILE_MBOX) - 1) != 0)
        return 0;
    end = memchr(bytes, '\n', size < MAIL_FILE_MBOX_LINE ? size : MAIL_FILE_MBOX_LINE);
    return end == NULL ? 0 : (size_t)(end - bytes) + 1;
}

/* field-name ":" with the obsolete white space before the colon (RFC 5322 2.2, 4.5). */
static bool mail_file_is_field(const uint8_t *bytes, size_t size)
{
    size_t i = 0;

    while (i < size && i < MAIL_FILE_NAME_MAX && bytes[i] > 32 && bytes[i] < 127 && bytes[i] != ':')
        i++;
    if (i == 0)
        return false;
    while (i < size && i < MAIL_FILE_NAME_MAX && (bytes[i] == ' ' || bytes[i] == '\t'))
        i++;
    return i < size && bytes[i] == ':';
}

/* What kind of file it is, and where what is stored of it begins. */
static void mail_file_look(struct mail_file *file)
{
    size_t separator = mail_file_mbox_line(file->bytes, file->size);

    file->kind = MAIL_FILE_OTHER;
    file->begin = 0;
    file->line_feeds = false;
    if (separator == 0 && !mail_file_is_field(file->bytes, file->size))
        return;
    file->kind = MAIL_FILE_MESSAGE;
    file->begin = separator;
    file->line_feeds = file->size > separator &&
                       memmem(file->bytes + separator, file->size - separator, "\r\n", 2) == NULL;
}

static bool mail_file_lacks_end(const struct mail_file *file)
{
    const uint8_t *end = file->bytes + file->size;
    size_t length = file->size - file->begin;

    if (file->kind == MAIL_FILE_OTHER || length == 0)
        return false;
    if (file->line_feeds)
        return end[-1] != '\n';
    return length < 2 || end[-1] != '\n' || end[-2] != '\r';
}

uint64_t mail_file_message_bytes(const struct mail_file *file)
{
    uint64_t bytes = file->size - file->begin;

    if (mail_file_lacks_end(file))
        bytes += 2;
    if (file->line_feeds) {
        for (size_t i = file->begin; i < file->size; i++)
            bytes += file->bytes[i] == '\n';
    }
    return bytes;
}

/* Reads on until the end, or until one byte more than `most`. */
static enum status mail_file_fill(struct mail_file *file, int fd, uint64_t most)
{
    file->size = 0;
    for (;;) {
        ssize_t length;

        if (file->size == file->room) {
            size_t room = file->room == 0 ? 65536 : file->room * 2;
            uint8_t *bytes = realloc(file->bytes, room);

            if (bytes == NULL)
                return STATUS_NO_MEMORY;
            file->bytes = bytes;
            file->room = room;
        }
        length = read(fd, file->bytes + file->size, file->room - file->size);
        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            return STATUS_SYSTEM;
        file->size += (size_t)length;
        if (length == 0 || file->size > most)
            return STATUS_OK;
    }
}

enum status mail_file_read(struct mail_file *file, const char *path, uint64_t limit_bytes)
{
    /* Not blocking: the file may have become a pipe since it was listed. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat about;
    enum status status;
    int saved;

    if (fd < 0)
        return STATUS_SYSTEM;
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
        close(fd);
        errno = EINVAL;
        return STATUS_SYSTEM;
    }
    status = mail_file_fill(file, fd, limit_bytes + MAIL_FILE_MBOX_LINE);
    saved = errno;
    close(fd);
    errno = saved;
    if (status != STATUS_OK)
        return status;
    mail_file_look(file);
    return mail_file_message_bytes(file) > limit_bytes ? STATUS_NO_SPACE : STATUS_OK;
}

static enum status mail_file_store_trace(struct store *store, struct message *message,
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
static enum status mail_file_store_lines(const struct mail_file *file, struct store *store,
                                         struct message *message)
{
    const uint8_t *at = file->bytes + file->begin;
    const uint8_t *end = file->bytes + file->size;
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

enum status mail_file_store(const struct mail_file *file, struct store *store,
                            struct message *message, const char *hostname, int64_t wall_seconds)
{
    enum status status = STATUS_OK;

    if (file->kind == MAIL_FILE_MESSAGE)
        status = mail_file_store_trace(store, message, hostname, wall_seconds);
    if (status != STATUS_OK)
        return status;
    if (file->line_feeds)
        status = mail_file_store_lines(file, store, message);
    else
        status = message_append_bytes(store, message, file->bytes + file->begin,
                                      file->size - file->begin);
    if (status == STATUS_OK && mail_file_lacks_end(file))
        status = message_append_bytes(store, message, "\r\n", 2);
    return status;
}

void mail_file_free(struct mail_file *file)
{
    free(file->bytes);
    *file = (struct mail_file){0};
}
