/* What all readers of a format use: lines, fields, and what they give to the sink. */
#include "signatures/read/read.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum status read_fail(struct reader *reader, enum status status, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)why_set_list(reader->why, format, arguments);
    va_end(arguments);
    return status;
}

/* More bytes in the buffer; false at the end and on errors. */
static bool read_more(struct reader *reader, bool *error)
{
    ssize_t taken;

    *error = false;
    if (reader->at_end)
        return false;
    taken = reader->input->take(reader->input->context, reader->buffer, sizeof(reader->buffer));
    *error = taken < 0;
    reader->at_end = taken <= 0;
    reader->buffer_at = 0;
    reader->buffer_end = taken > 0 ? (size_t)taken : 0;
    return taken > 0;
}

enum read_line read_line(struct reader *reader, const char **doubt)
{
    size_t length = 0;
    size_t total = 0;
    bool error = false;
    bool ended = false;

    *doubt = NULL;
    while (!ended) {
        const uint8_t *start = reader->buffer + reader->buffer_at;
        size_t rest = reader->buffer_end - reader->buffer_at;
        const uint8_t *newline;
        size_t part;
        size_t kept;

        if (rest == 0) {
            if (read_more(reader, &error))
                continue;
            if (error)
                return READ_ERROR;
            if (total == 0)
                return READ_END;
            break;
        }
        newline = memchr(start, '\n', rest);
        part = newline != NULL ? (size_t)(newline - start) : rest;
        kept = part < SOURCE_LINE_MAX - length ? part : SOURCE_LINE_MAX - length;
        memcpy(reader->line + length, start, kept);
        length += kept;
        total += part + (newline != NULL ? 1 : 0);
        reader->buffer_at += part + (newline != NULL ? 1 : 0);
        ended = newline != NULL;
    }
    reader->line_number++;
    reader->line[length] = '\0';
    if (total > reader->line_max)
        *doubt = "line longer than libclamav's buffer";
    else if (strlen(reader->line) != length)
        *doubt = "NUL inside a line";
    while (length > 0 && (reader->line[length - 1] == '\r' || reader->line[length - 1] == '\n'))
        reader->line[--length] = '\0';
    return *doubt != NULL ? READ_ODD : READ_LINE;
}

bool read_next(struct reader *reader, enum status *status)
{
    const char *doubt;

    *status = STATUS_OK;
    for (;;) {
        switch (read_line(reader, &doubt)) {
        case READ_END:
            return false;
        case READ_ERROR:
            *status = STATUS_SYSTEM;
            return false;
        case READ_ODD:
            read_emit_doubtful(reader, "", doubt);
            break;
        case READ_LINE:
            if (reader->line[0] != '#' && reader->line[0] != '\0')
                return true;
        }
    }
}

enum status read_all(struct reader *reader, size_t max, char **text, size_t *length)
{
    size_t room = 0;
    bool error = false;

    *text = NULL;
    *length = 0;
    do {
        size_t part = reader->buffer_end - reader->buffer_at;

        if (part > max - *length) {
            free(*text);
            *text = NULL;
            return read_fail(reader, STATUS_BAD_FORMAT, "%s: %s: larger than %zu bytes",
                             reader->path, reader->file, max);
        }
        if (*text == NULL || *length + part + 1 > room) {
            char *larger;

            room = 2 * (*length + part) + 1;
            larger = realloc(*text, room);
            if (larger == NULL) {
                free(*text);
                *text = NULL;
                return read_fail(reader, STATUS_NO_MEMORY, "%s: out of memory", reader->path);
            }
            *text = larger;
        }
        memcpy(*text + *length, reader->buffer + reader->buffer_at, part);
        *length += part;
    } while (read_more(reader, &error));
    if (error) {
        free(*text);
        *text = NULL;
        return STATUS_BAD_FORMAT;
    }
    (*text)[*length] = '\0';
    return STATUS_OK;
}

void read_emit(struct reader *reader, struct source_signature *signature)
{
    signature->file = reader->file;
    signature->line = reader->line_number;
    if (signature->necessary == NULL)
        reader->status = STATUS_NO_MEMORY;
    else if (reader->sink->signature != NULL)
        reader->sink->signature(reader->sink->context, signature);
    expression_arena_reset(reader->arena);
}

void read_emit_doubtful(struct reader *reader, const char *name, const char *doubt)
{
    struct source_signature signature = {
        .name = name,
        .necessary = expression_true(reader->arena),
        .doubt = doubt,
    };

    read_emit(reader, &signature);
}

void read_emit_count(struct reader *reader, const char *kind)
{
    if (reader->sink->counted != NULL)
        reader->sink->counted(reader->sink->context, reader->file, kind, reader->count);
}

ssize_t read_hex(const char *text, uint8_t *bytes, size_t max)
{
    static const char digits[] = "0123456789abcdef";
    size_t count = 0;

    for (; *text != '\0'; text += 2) {
        const char *pair[2];

        if (text[1] == '\0' || count == max)
            return -1;
        for (unsigned i = 0; i < 2; i++) {
            pair[i] = strchr(digits, text[i] >= 'A' && text[i] <= 'F' ? text[i] + 32 : text[i]);
            if (pair[i] == NULL)
                return -1;
        }
        bytes[count++] = (uint8_t)((pair[0] - digits) << 4 | (pair[1] - digits));
    }
    return (ssize_t)count;
}

bool read_is_old(const char *level_max)
{
    uint64_t level;

    return read_number(level_max, &level) && level < READ_LEVEL_OLD;
}

void read_emit_old(struct reader *reader)
{
    if (reader->count > 0)
        read_emit_count(reader, "for older libraries");
}

unsigned read_split(char *text, char delimiter, char **fields, unsigned max)
{
    unsigned count = 0;

    for (;;) {
        char *end = strchr(text, delimiter);

        if (count < max)
            fields[count] = text;
        count++;
        if (end == NULL)
            return count;
        *end = '\0';
        text = end + 1;
    }
}

bool read_number(const char *text, uint64_t *number)
{
    uint64_t value = 0;

    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value > UINT64_MAX / 16 ? value : value * 10 + (uint64_t)(*text - '0');
    }
    *number = value;
    return true;
}

bool read_type_never(const char *type)
{
    /* Not among them: types of text, scripts, images, and mail itself; what mail software makes of
     * plain text (uuencode, BinHex); and names not known here. */
    static const char *const never[] = {
        "CL_TYPE_MSEXE",     "CL_TYPE_ELF",        "CL_TYPE_MACHO",       "CL_TYPE_MACHO_UNIBIN",
        "CL_TYPE_OLD_TAR",   "CL_TYPE_POSIX_TAR",  "CL_TYPE_GZ",          "CL_TYPE_ZIP",
        "CL_TYPE_BZ",        "CL_TYPE_RAR",        "CL_TYPE_ARJ",         "CL_TYPE_MSSZDD",
        "CL_TYPE_MSOLE2",    "CL_TYPE_MSCAB",      "CL_TYPE_MSCHM",       "CL_TYPE_SIS",
        "CL_TYPE_PDF",       "CL_TYPE_RTF",        "CL_TYPE_7Z",          "CL_TYPE_CPIO_OLD",
        "CL_TYPE_CPIO_ODC",  "CL_TYPE_CPIO_NEWC",  "CL_TYPE_CPIO_CRC",    "CL_TYPE_DMG",
        "CL_TYPE_ISO9660",   "CL_TYPE_JAVA",       "CL_TYPE_SWF",         "CL_TYPE_XAR",
        "CL_TYPE_XZ",        "CL_TYPE_OOXML_WORD", "CL_TYPE_OOXML_PPT",   "CL_TYPE_OOXML_XL",
        "CL_TYPE_OOXML_HWP", "CL_TYPE_HWP3",       "CL_TYPE_HWPOLE2",     "CL_TYPE_EGG",
        "CL_TYPE_ONENOTE",   "CL_TYPE_UDF",        "CL_TYPE_ALZ",         "CL_TYPE_LHA_LZH",
        "CL_TYPE_ZIPSFX",    "CL_TYPE_RARSFX",     "CL_TYPE_CABSFX",      "CL_TYPE_ARJSFX",
        "CL_TYPE_7ZSFX",     "CL_TYPE_EGGSFX",     "CL_TYPE_NULSFT",      "CL_TYPE_AUTOIT",
        "CL_TYPE_GPT",       "CL_TYPE_APM",        "CL_TYPE_ISHIELD_MSI",
    };

    for (unsigned i = 0; i < sizeof(never) / sizeof(never[0]); i++)
        if (strcmp(type, never[i]) == 0)
            return true;
    return false;
}
