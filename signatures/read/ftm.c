/* File type tables (.ftm): magic type:offset:pattern:name:needed type:type[:minimum level[:maximum
 * level]]. Magic type 0 is compared at its offset, 1 searched for. The line itself goes along:
 * types.h makes of it what the prefilter does; the fields here are for reports. */
#include <string.h>

#include "signatures/read/read.h"

static void ftm_line(struct reader *reader)
{
    uint8_t magic[READ_LINE_PLAIN / 2];
    char line[READ_LINE_PLAIN + 1];
    struct source_type type = {.line = line, .type = "", .needed = ""};
    char *fields[8];
    unsigned count;
    uint64_t offset = 0;
    ssize_t length;
    const char *doubt = NULL;

    (void)snprintf(line, sizeof(line), "%s", reader->line);
    count = read_split(reader->line, ':', fields, 8);
    reader->count++;
    if (count >= 6) {
        type.anywhere = strcmp(fields[0], "1") == 0;
        type.needed = fields[4];
        type.type = fields[5];
    }
    if (type.anywhere) {
        type.necessary = body_read(reader->arena, fields[2], strlen(fields[2]), 0, &doubt);
        if (type.necessary == NULL) {
            reader->status = STATUS_NO_MEMORY;
            return;
        }
    } else if (count >= 6) {
        length = read_hex(fields[2], magic, sizeof(magic));
        type.magic = magic;
        type.magic_length = length > 0 ? (uint32_t)length : 0;
        type.offset =
            read_number(fields[1], &offset) && offset <= UINT32_MAX ? (uint32_t)offset : 0;
    }
    if (reader->sink->type != NULL)
        reader->sink->type(reader->sink->context, &type);
    expression_arena_reset(reader->arena);
}

enum status read_ftm(struct reader *reader)
{
    enum status status;

    while (read_next(reader, &status))
        ftm_line(reader);
    read_emit_count(reader, "file types");
    return status;
}
