/* Bytecode signatures (.cbc): a header, then the logical signature that triggers it or a name.
 *
 * Without a trigger a bytecode runs where its kind says: inside executables and PDF files, which a
 * mail that is settled here does not hold; at start; or when file properties are collected, which
 * the scanner never asks for.
 */
#include <string.h>

#include "signatures/read/read.h"

#define BYTECODE_MAGIC "ClamBC"

enum bytecode_kind {
    BYTECODE_GENERIC = 0,
    BYTECODE_STARTUP = 1,
    BYTECODE_LOGICAL = 256,
    BYTECODE_LAST = 262, /* unpackers, PDF, preclassification */
};

/* A number: its count of nibbles, then the nibbles, lowest first, all as characters from '`' on. */
static bool bytecode_number(const char **at, uint64_t *number)
{
    unsigned count = (unsigned)(uint8_t) * *at - 0x60;

    *number = 0;
    if (count > 16)
        return false;
    (*at)++;
    for (unsigned i = 0; i < count; i++, (*at)++) {
        unsigned nibble = (unsigned)(uint8_t) * *at - 0x60;

        if (nibble > 15)
            return false;
        *number |= (uint64_t)nibble << (4 * i);
    }
    return true;
}

/* A string: '|', its length, its characters as pairs of nibbles. */
static bool bytecode_skip_string(const char **at)
{
    uint64_t length;

    if (*(*at)++ != '|' || !bytecode_number(at, &length) || length > strlen(*at) / 2)
        return false;
    *at += 2 * length;
    return true;
}

/* What kind of bytecode the header says; false when it is not understood. */
static bool bytecode_kind(const char *line, uint64_t *kind)
{
    const char *at = line + strlen(BYTECODE_MAGIC);
    uint64_t number;

    return strncmp(line, BYTECODE_MAGIC, strlen(BYTECODE_MAGIC)) == 0 &&
           bytecode_number(&at, &number) && bytecode_number(&at, &number) &&
           bytecode_skip_string(&at) && bytecode_number(&at, &number) && bytecode_number(&at, kind);
}

enum status read_cbc(struct reader *reader)
{
    const char *doubt;
    uint64_t kind = BYTECODE_LOGICAL;
    bool understood;
    enum read_line line = read_line(reader, &doubt);

    if (line == READ_ERROR)
        return STATUS_SYSTEM;
    understood = line == READ_LINE && bytecode_kind(reader->line, &kind);
    line = read_line(reader, &doubt);
    if (line == READ_ERROR)
        return STATUS_SYSTEM;
    if (line == READ_LINE && strchr(reader->line, ';') != NULL) {
        logical_read(reader, reader->line);
    } else if (line == READ_LINE && understood && kind != BYTECODE_LOGICAL &&
               (kind <= BYTECODE_STARTUP || (kind > BYTECODE_LOGICAL && kind <= BYTECODE_LAST))) {
        reader->count++;
        read_emit_count(reader, "bytecode without a trigger");
    } else {
        read_emit_doubtful(reader, reader->file, "bytecode not understood");
    }
    return STATUS_OK;
}
