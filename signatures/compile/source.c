#include "signatures/compile/source.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "signatures/compile/read.h"

enum status read_fail(struct reader *reader, enum status status, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(reader->why, reader->why_size, format, arguments);
    va_end(arguments);
    return status;
}

void read_begin(struct reader *reader, struct read_input *input, const char *file)
{
    reader->input = input;
    reader->file = file;
    reader->line_number = 0;
    reader->count = 0;
    reader->buffer_at = 0;
    reader->buffer_end = 0;
    reader->at_end = false;
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

/* A format that is not read: anything may be in it. */
static enum status read_unknown(struct reader *reader)
{
    read_emit_doubtful(reader, reader->file, "format is not read");
    return STATUS_OK;
}

/* What cl_load() takes, by the end of the file's name. */
static const struct {
    const char *suffix;
    unsigned line_max;
    read_format read;
} formats[] = {
    {".ndb", READ_LINE_PLAIN, read_ndb},
    {".ndu", READ_LINE_PLAIN, read_ndb},
    {".sdb", READ_LINE_PLAIN, read_ndb},
    {".db", READ_LINE_PLAIN, read_db},
    {".ldb", READ_LINE_LOGICAL, read_ldb},
    {".ldu", READ_LINE_LOGICAL, read_ldb},
    {".hdb", READ_LINE_PLAIN, read_hashes},
    {".hsb", READ_LINE_PLAIN, read_hashes},
    {".hdu", READ_LINE_PLAIN, read_hashes},
    {".hsu", READ_LINE_PLAIN, read_hashes},
    {".mdb", 0, read_unknown},
    {".mdu", 0, read_unknown},
    {".msb", 0, read_unknown},
    {".msu", 0, read_unknown},
    {".imp", 0, read_unknown},
    {".fp", 0, read_unknown},
    {".sfp", 0, read_unknown},
    {".zmd", 0, read_unknown},
    {".rmd", 0, read_unknown},
    {".pdb", 0, read_unknown},
    {".gdb", 0, read_unknown},
    {".wdb", 0, read_unknown},
    {".cbc", 0, read_unknown},
    {".ftm", 0, read_unknown},
    {".cfg", 0, read_unknown},
    {".cvd", 0, read_unknown},
    {".cld", 0, read_unknown},
    {".cud", 0, read_unknown},
    {".cdb", 0, read_unknown},
    {".cat", 0, read_unknown},
    {".crb", 0, read_unknown},
    {".idb", 0, read_unknown},
    {".ioc", 0, read_unknown},
    {".yar", 0, read_unknown},
    {".yara", 0, read_unknown},
    {".pwdb", 0, read_unknown},
    {".ign", 0, read_unknown},
    {".ign2", 0, read_unknown},
    {".info", 0, read_unknown},
};

static bool read_ends_with(const char *name, const char *suffix)
{
    size_t length = strlen(name);
    size_t suffix_length = strlen(suffix);

    return length >= suffix_length && strcasecmp(name + length - suffix_length, suffix) == 0;
}

/* The format of `name`; its number, or -1. */
static int read_format_of(const char *name)
{
    for (unsigned i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        if (read_ends_with(name, formats[i].suffix))
            return (int)i;
    return -1;
}

static ssize_t read_take_file(void *context, uint8_t *buffer, size_t size)
{
    int file = *(const int *)context;
    ssize_t taken;

    do
        taken = read(file, buffer, size);
    while (taken < 0 && errno == EINTR);
    return taken;
}

static enum status read_file(struct reader *reader, const char *path)
{
    const char *name = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
    int format = read_format_of(name);
    struct read_input input = {.take = read_take_file};
    enum status status;
    int file;

    reader->path = path;
    if (format < 0)
        return read_fail(reader, STATUS_BAD_FORMAT, "%s: not a name libclamav loads", path);
    file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return read_fail(reader, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_SYSTEM, "%s: %s", path,
                         strerror(errno));
    input.context = &file;
    errno = 0;
    read_begin(reader, &input, name);
    reader->line_max = formats[format].line_max;
    reader->why[0] = '\0';
    status = formats[format].read(reader);
    if (status == STATUS_OK && reader->status != STATUS_OK)
        status = reader->status;
    if (status != STATUS_OK && reader->why[0] == '\0')
        status = read_fail(reader, status, "%s: line %u: %s", path, reader->line_number,
                           errno != 0 ? strerror(errno) : status_text(status));
    (void)close(file);
    return status;
}

static int read_order(const struct dirent **one, const struct dirent **other)
{
    return strcmp((*one)->d_name, (*other)->d_name);
}

static enum status read_directory(struct reader *reader, const char *path)
{
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, NULL, read_order);
    enum status status = STATUS_OK;

    if (count < 0)
        return read_fail(reader, STATUS_SYSTEM, "%s: %s", path, strerror(errno));
    for (int i = 0; i < count; i++) {
        char name[4096];

        if (status == STATUS_OK && read_format_of(entries[i]->d_name) >= 0) {
            if ((size_t)snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name) >=
                sizeof(name))
                status = read_fail(reader, STATUS_BAD_FORMAT, "%s: name too long", path);
            else
                status = read_file(reader, name);
        }
        free(entries[i]);
    }
    free(entries);
    return status;
}

enum status source_read(const char *path, const struct source_sink *sink, char *why,
                        size_t why_size)
{
    struct reader *reader = calloc(1, sizeof(*reader));
    char none[1];
    struct stat about;
    enum status status;

    if (reader == NULL)
        return STATUS_NO_MEMORY;
    reader->sink = sink;
    reader->path = path;
    reader->why = why_size > 0 ? why : none;
    reader->why_size = why_size > 0 ? why_size : sizeof(none);
    reader->why[0] = '\0';
    reader->arena = expression_arena_create();
    reader->line = malloc(SOURCE_LINE_MAX + 1);
    if (reader->arena == NULL || reader->line == NULL)
        status = read_fail(reader, STATUS_NO_MEMORY, "%s: out of memory", path);
    else if (stat(path, &about) != 0)
        status = read_fail(reader, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_SYSTEM, "%s: %s",
                           path, strerror(errno));
    else
        status = S_ISDIR(about.st_mode) ? read_directory(reader, path) : read_file(reader, path);
    expression_arena_destroy(reader->arena);
    free(reader->line);
    free(reader);
    return status;
}
