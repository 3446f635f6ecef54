/* Which reader reads what: files, directories, and members of containers. */
#include "signatures/read/source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/why.h"
#include "signatures/read/read.h"

static bool read_ends_with(const char *name, const char *suffix)
{
    size_t length = strlen(name);
    size_t suffix_length = strlen(suffix);

    return length >= suffix_length && strcasecmp(name + length - suffix_length, suffix) == 0;
}

static read_format source_format(const char *name, unsigned *line_max)
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

bool read_loads(const char *name)
{
    unsigned line_max;

    return source_format(name, &line_max) != NULL;
}

static enum status source_content(struct reader *reader, struct read_input *input, const char *name)
{
    read_format format = source_format(name, &reader->line_max);
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
    why_clear(reader->why);
    status = format(reader);
    if (status == STATUS_OK && reader->status != STATUS_OK)
        status = reader->status;
    if (status != STATUS_OK && why_empty(reader->why))
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
    status = reader->content(reader, &input, name);
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

        if (status == STATUS_OK && source_format(entries[i]->d_name, &line_max) != NULL &&
            source_format(entries[i]->d_name, &line_max) != read_information) {
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

enum status read_path(struct reader *reader, const char *path)
{
    struct stat about;

    reader->path = path;
    if (stat(path, &about) != 0)
        return read_fail(reader, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_SYSTEM, "%s: %s", path,
                         strerror(errno));
    return S_ISDIR(about.st_mode) ? read_directory(reader, path) : read_file(reader, path);
}

enum status source_read(const char *path, const struct source_sink *sink, struct why *why)
{
    struct reader *reader = calloc(1, sizeof(*reader));
    enum status status;

    if (reader == NULL)
        return STATUS_NO_MEMORY;
    reader->sink = sink;
    reader->loads = read_loads;
    reader->content = source_content;
    reader->why = why;
    why_clear(reader->why);
    reader->arena = expression_arena_create();
    reader->line = malloc(SOURCE_LINE_MAX + 1);
    if (reader->arena == NULL || reader->line == NULL)
        status = read_fail(reader, STATUS_NO_MEMORY, "%s: out of memory", path);
    else
        status = read_path(reader, path);
    if (status == STATUS_OK)
        reader->file = path;
    yara_finish(reader);
    expression_arena_destroy(reader->arena);
    free(reader->line);
    free(reader);
    return status;
}
