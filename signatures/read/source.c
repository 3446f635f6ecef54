#include "signatures/read/source.h"

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

#include "signatures/read/read.h"

enum status read_fail(struct reader *reader, enum status status, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(reader->why, reader->why_size, format, arguments);
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

static bool read_ends_with(const char *name, const char *suffix)
{
    size_t length = strlen(name);
    size_t suffix_length = strlen(suffix);

    return length >= suffix_length && strcasecmp(name + length - suffix_length, suffix) == 0;
}

read_format read_format_of(const char *name, unsigned *line_max)
{
    /* What cl_load() takes. */
    static const struct {
        const char *suffix;
        unsigned line_max;
        read_format read;
    } formats[] = {
        {".ndb", READ_LINE_PLAIN, read_ndb},          {".ndu", READ_LINE_PLAIN, read_ndb},
        {".sdb", READ_LINE_PLAIN, read_ndb},          {".db", READ_LINE_PLAIN, read_db},
        {".ldb", READ_LINE_LOGICAL, read_ldb},        {".ldu", READ_LINE_LOGICAL, read_ldb},
        {".hdb", READ_LINE_PLAIN, read_hashes},       {".hsb", READ_LINE_PLAIN, read_hashes},
        {".hdu", READ_LINE_PLAIN, read_hashes},       {".hsu", READ_LINE_PLAIN, read_hashes},
        {".mdb", READ_LINE_PLAIN, read_sections},     {".mdu", READ_LINE_PLAIN, read_sections},
        {".msb", READ_LINE_PLAIN, read_sections},     {".msu", READ_LINE_PLAIN, read_sections},
        {".imp", READ_LINE_PLAIN, read_sections},     {".fp", READ_LINE_PLAIN, read_allowed},
        {".sfp", READ_LINE_PLAIN, read_allowed},      {".wdb", READ_LINE_PLAIN, read_allowed},
        {".zmd", READ_LINE_PLAIN, read_archive},      {".rmd", READ_LINE_PLAIN, read_archive},
        {".pdb", READ_LINE_PLAIN, read_pdb},          {".gdb", READ_LINE_PLAIN, read_pdb},
        {".cbc", READ_LINE_BYTECODE, read_cbc},       {".ftm", READ_LINE_PLAIN, read_ftm},
        {".cfg", READ_LINE_PLAIN, read_cfg},          {".cvd", READ_LINE_PLAIN, read_container},
        {".cld", READ_LINE_PLAIN, read_container},    {".cud", READ_LINE_PLAIN, read_container},
        {".cdb", READ_LINE_PLAIN, read_cdb},          {".crb", READ_LINE_PLAIN, read_certificates},
        {".cat", READ_LINE_PLAIN, read_certificates}, {".idb", READ_LINE_PLAIN, read_icons},
        {".ioc", READ_LINE_PLAIN, read_ioc},          {".yar", READ_LINE_PLAIN, read_yara},
        {".yara", READ_LINE_PLAIN, read_yara},        {".pwdb", READ_LINE_PLAIN, read_passwords},
        {".ign", READ_LINE_PLAIN, read_ign},          {".ign2", READ_LINE_PLAIN, read_ign},
        {".info", READ_LINE_PLAIN, read_information},
    };

    for (unsigned i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        if (read_ends_with(name, formats[i].suffix)) {
            *line_max = formats[i].line_max;
            return formats[i].read;
        }
    return NULL;
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

enum status read_content(struct reader *reader, struct read_input *input, const char *name)
{
    read_format format = read_format_of(name, &reader->line_max);
    enum status status;

    if (format == NULL)
        return read_fail(reader, STATUS_BAD_FORMAT, "%s: not a name libclamav loads", name);
    reader->input = input;
    reader->file = name;
    reader->line_number = 0;
    reader->count = 0;
    reader->buffer_at = 0;
    reader->buffer_end = 0;
    reader->at_end = false;
    errno = 0;
    reader->why[0] = '\0';
    status = format(reader);
    if (status == STATUS_OK && reader->status != STATUS_OK)
        status = reader->status;
    if (status != STATUS_OK && reader->why[0] == '\0')
        status = read_fail(reader, status, "%s: %s: line %u: %s", reader->path, name,
                           reader->line_number, errno != 0 ? strerror(errno) : status_text(status));
    return status;
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
    struct read_input input = {.take = read_take_file, .context = &reader->descriptor};
    enum status status;

    reader->path = path;
    reader->descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (reader->descriptor < 0)
        return read_fail(reader, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_SYSTEM, "%s: %s", path,
                         strerror(errno));
    status = read_content(reader, &input, name);
    (void)close(reader->descriptor);
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
        unsigned line_max;

        if (status == STATUS_OK && read_format_of(entries[i]->d_name, &line_max) != NULL &&
            read_format_of(entries[i]->d_name, &line_max) != read_information) {
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
    if (status == STATUS_OK)
        reader->file = path;
    yara_finish(reader);
    expression_arena_destroy(reader->arena);
    free(reader->line);
    free(reader);
    return status;
}
