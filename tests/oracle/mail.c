#include "tests/oracle/mail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/offline/files.h"
#include "dataplane/offline/mail_file.h"
#include "dataplane/smtp/received.h"

#define MAIL_BYTES_MAX (UINT64_C(64) << 20)
#define MAIL_EPOCH     1100000000 /* a fixed time: the same bytes each run */
#define MAIL_FINDING   ".message"

void mail_trace(struct bytes *message)
{
    const struct smtp_received received = {
        .helo = "client.example.net",
        .client = "192.0.2.1",
        .host = "mx.example.org",
        .id = "00000000000000a1",
        .recipient = "user@example.org",
        .esmtp = true,
        .wall_seconds = MAIL_EPOCH,
    };
    char text[SMTP_RECEIVED_BYTES];

    bytes_append(message, text, smtp_received_write(&received, text));
}

static bool mail_is_finding(const char *path)
{
    size_t length = strlen(path);

    return length > sizeof(MAIL_FINDING) &&
           strcmp(path + length - (sizeof(MAIL_FINDING) - 1), MAIL_FINDING) == 0;
}

static void mail_convert(const struct mail_file *content, struct bytes *message)
{
    const uint8_t *at = content->bytes + content->begin;
    const uint8_t *end = content->bytes + content->size;

    mail_trace(message);
    if (content->kind != MAIL_FILE_MESSAGE)
        bytes_text(message, "\r\n");
    while (at < end) {
        const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
        const uint8_t *stop = newline == NULL ? end : newline;

        bytes_append(message, at, (size_t)(stop - at));
        if (newline != NULL && content->line_feeds)
            bytes_byte(message, '\r');
        if (newline != NULL)
            bytes_byte(message, '\n');
        at = newline == NULL ? end : newline + 1;
    }
    if (message->length < 2 || memcmp(message->data + message->length - 2, "\r\n", 2) != 0)
        bytes_text(message, "\r\n");
}

bool mail_read(const char *path, struct bytes *message)
{
    struct mail_file content = {0};
    bool read = mail_file_read(&content, path, MAIL_BYTES_MAX) == STATUS_OK;

    message->length = 0;
    if (read && mail_is_finding(path))
        bytes_append(message, content.bytes, content.size);
    else if (read)
        mail_convert(&content, message);
    mail_file_free(&content);
    return read;
}

static struct mail *mails_room(struct mails *mails)
{
    if (mails->count == mails->room) {
        mails->room = mails->room == 0 ? 256 : mails->room * 2;
        mails->entries = realloc(mails->entries, mails->room * sizeof(*mails->entries));
        if (mails->entries == NULL)
            abort();
    }
    mails->entries[mails->count] = (struct mail){0};
    return &mails->entries[mails->count++];
}

bool mails_add(struct mails *mails, const char *path, size_t bytes_max)
{
    struct file_list list = {0};
    bool added = files_add(&list, path) == STATUS_OK && list.count > 0;

    for (size_t i = 0; added && i < list.count; i++) {
        struct mail *mail;

        if (list.entries[i].size > bytes_max)
            continue;
        mail = mails_room(mails);
        mail->path = strdup(list.entries[i].path);
        added = mail_read(list.entries[i].path, &mail->message);
    }
    files_free(&list);
    return added;
}

void mails_add_message(struct mails *mails, const char *name, const struct bytes *message)
{
    struct mail *mail = mails_room(mails);

    mail->path = strdup(name);
    bytes_append(&mail->message, message->data, message->length);
}

void mails_free(struct mails *mails)
{
    for (size_t i = 0; i < mails->count; i++) {
        free(mails->entries[i].path);
        bytes_free(&mails->entries[i].message);
    }
    free(mails->entries);
    *mails = (struct mails){0};
}
