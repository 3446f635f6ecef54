#include "signatures/content/readings/canonical.h"

#include <stdlib.h>
#include <string.h>

#include "signatures/content/mime/mime.h"
#include "signatures/content/mime/start.h"
#include "signatures/content/mime/text.h"

#define CANONICAL_LINE 76u

/* In no base64 and no name: '=' and '_' between them. */
#define CANONICAL_BOUNDARY "=_reading_="

static enum status canonical_reserve(struct canonical *mail, size_t more)
{
    size_t room = mail->room == 0 ? 4096 : mail->room;
    uint8_t *grown;

    if (more <= mail->room - mail->length)
        return STATUS_OK;
    while (room - mail->length < more)
        room *= 2;
    grown = realloc(mail->bytes, room);
    if (grown == NULL)
        return STATUS_NO_MEMORY;
    mail->bytes = grown;
    mail->room = room;
    return STATUS_OK;
}

static enum status canonical_write(struct canonical *mail, const char *text)
{
    size_t length = strlen(text);
    enum status status = canonical_reserve(mail, length);

    if (status != STATUS_OK)
        return status;
    memcpy(mail->bytes + mail->length, text, length);
    mail->length += length;
    return STATUS_OK;
}

enum status canonical_begin(struct canonical *mail)
{
    mail->length = 0;
    mail->content = 0;
    mail->parts = 0;
    return canonical_write(mail,
                           MIME_START "reading by reading; Thu, 01 Jan 1970 00:00:00 +0000\r\n"
                                      "MIME-Version: 1.0\r\n"
                                      "Content-Type: multipart/mixed; boundary=\"" //
                           CANONICAL_BOUNDARY "\"\r\n\r\n");
}

bool canonical_full(const struct canonical *mail, size_t length)
{
    return mail->parts > 0 &&
           (mail->parts >= CANONICAL_PARTS || length > CANONICAL_BYTES - mail->content);
}

/* A type of content that all readers know, or the one for any bytes. What has parts of its own is
 * written as those. */
static const char *canonical_type(const char *type)
{
    static const char *const known[] = {"text/", "application/", "image/", "audio/", "video/"};
    size_t major = 0;

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strncmp(type, known[i], strlen(known[i])) == 0)
            major = strlen(known[i]);
    }
    if (major == 0 || type[major] == '\0')
        return "application/octet-stream";
    for (const char *at = type + major; *at != '\0'; at++) {
        if (!mime_is_token((uint8_t)*at))
            return "application/octet-stream";
    }
    return type;
}

/* The name without what a quoted string cannot hold. */
static void canonical_name(char to[READINGS_NAME_BYTES], const char *name)
{
    size_t length = 0;

    for (; *name != '\0' && length + 1 < READINGS_NAME_BYTES; name++) {
        uint8_t byte = (uint8_t)*name;

        if (byte < ' ' || byte >= 0x7f || strchr("\"\\;%=?()", byte) != NULL)
            byte = '_';
        to[length++] = (char)byte;
    }
    to[length] = '\0';
}

static enum status canonical_fields(struct canonical *mail, const struct reading_part *part)
{
    char name[READINGS_NAME_BYTES];
    const char *pieces[8] = {"--" CANONICAL_BOUNDARY "\r\nContent-Type: ",
                             canonical_type(part->type),
                             "\r\nContent-Transfer-Encoding: base64\r\n"
                             "Content-Disposition: attachment",
                             "",
                             "",
                             "",
                             "\r\n\r\n",
                             NULL};

    canonical_name(name, part->name);
    if (name[0] != '\0') {
        pieces[3] = "; filename=\"";
        pieces[4] = name;
        pieces[5] = "\"";
    }
    for (unsigned i = 0; pieces[i] != NULL; i++) {
        enum status status = canonical_write(mail, pieces[i]);

        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static void canonical_group(const uint8_t *from, size_t left, uint8_t *to)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = (uint32_t)from[0] << 16 | (left > 1 ? (uint32_t)from[1] << 8 : 0) |
                    (left > 2 ? (uint32_t)from[2] : 0);

    to[0] = (uint8_t)letters[bits >> 18];
    to[1] = (uint8_t)letters[bits >> 12 & 63];
    to[2] = left > 1 ? (uint8_t)letters[bits >> 6 & 63] : '=';
    to[3] = left > 2 ? (uint8_t)letters[bits & 63] : '=';
}

/* The first line is one group alone: libclamav takes a first line that starts with "content" or
 * "filename=" for more of the header, and base64 can spell the one. */
static bool canonical_line_ends(size_t group, size_t groups)
{
    return group % (CANONICAL_LINE / 4) == 0 || group + 1 == groups;
}

static enum status canonical_body(struct canonical *mail, const uint8_t *bytes, size_t length)
{
    size_t groups = (length + 2) / 3;
    enum status status =
        canonical_reserve(mail, groups * 4 + groups / (CANONICAL_LINE / 4) * 2 + 6);
    uint8_t *to = mail->bytes + mail->length;

    if (status != STATUS_OK)
        return status;
    for (size_t group = 0; group < groups; group++) {
        canonical_group(bytes + group * 3, length - group * 3, to);
        to += 4;
        if (canonical_line_ends(group, groups)) {
            *to++ = '\r';
            *to++ = '\n';
        }
    }
    mail->length = (size_t)(to - mail->bytes);
    return STATUS_OK;
}

enum status canonical_add(struct canonical *mail, const struct reading_part *part)
{
    enum status status = canonical_fields(mail, part);

    if (status != STATUS_OK)
        return status;
    mail->parts++;
    mail->content += part->length;
    return canonical_body(mail, part->bytes, part->length);
}

enum status canonical_end(struct canonical *mail)
{
    return canonical_write(mail, "--" CANONICAL_BOUNDARY "--\r\n");
}

void canonical_free(struct canonical *mail)
{
    free(mail->bytes);
    *mail = (struct canonical){0};
}
