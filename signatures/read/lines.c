/* Formats with a signature a line: .hdb .hsb .ndb .db; and .ioc, whose hashes are somewhere in XML.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "signatures/read/read.h"

#define IOC_BYTES_MAX (64u << 20)

static bool hash_digest(const char *text, struct source_hash *hash)
{
    ssize_t length = read_hex(text, hash->digest, sizeof(hash->digest));

    hash->digest_bytes = length > 0 ? (unsigned)length : 0;
    return length == 16 || length == 20 || length == 32;
}

/* libclamav refuses a file with a bad line; until it does, such a line detects anything. */
static void hash_line(struct reader *reader)
{
    struct source_hash hash = {.digest_bytes = 0};
    char *fields[5];
    unsigned count = read_split(reader->line, ':', fields, 5);

    if (count == 5 && read_is_old(fields[4])) {
        reader->count++;
        return;
    }
    if (count < 3 || count > 5 || !hash_digest(fields[0], &hash)) {
        read_emit_doubtful(reader, count >= 3 ? fields[2] : "", "hash line not understood");
        return;
    }
    hash.name = fields[2];
    hash.any_size = strcmp(fields[1], "*") == 0;
    if (!hash.any_size && !read_number(fields[1], &hash.size)) {
        read_emit_doubtful(reader, fields[2], "hash line not understood");
        return;
    }
    if (reader->sink->hash != NULL)
        reader->sink->hash(reader->sink->context, &hash);
}

enum status read_hashes(struct reader *reader)
{
    enum status status;

    while (read_next(reader, &status))
        hash_line(reader);
    read_emit_old(reader);
    return status;
}

/* Every word of the length of a digest is one: more than libclamav takes. */
static void ioc_words(struct reader *reader, char *text)
{
    for (char *at = text; *at != '\0';) {
        struct source_hash hash = {.name = reader->file, .any_size = true};
        size_t length = 0;
        char after;

        while (isalnum((unsigned char)at[length]))
            length++;
        after = at[length];
        at[length] = '\0';
        if (hash_digest(at, &hash) && reader->sink->hash != NULL)
            reader->sink->hash(reader->sink->context, &hash);
        at[length] = after;
        at += length > 0 ? length : 1;
    }
}

/* OpenIOC: XML. Where its text may not be what it looks like, anything may be in it. */
enum status read_ioc(struct reader *reader)
{
    char *text;
    size_t length;
    enum status status = read_all(reader, IOC_BYTES_MAX, &text, &length);
    const char *encoding;

    if (status != STATUS_OK)
        return status;
    encoding = strstr(text, "encoding=");
    if (strlen(text) != length || strstr(text, "&#") != NULL || strstr(text, "<!") != NULL ||
        (encoding != NULL && strncasecmp(encoding + 10, "utf-8", 5) != 0 &&
         strncasecmp(encoding + 10, "us-ascii", 8) != 0))
        read_emit_doubtful(reader, reader->file, "XML that is not plain");
    else
        ioc_words(reader, text);
    free(text);
    return STATUS_OK;
}

static unsigned hash_target(const char *text, const char **doubt)
{
    uint64_t number = 0;

    if (strcmp(text, "*") == 0 || text[0] == '\0')
        return 0;
    if (!read_number(text, &number) || number > 255) {
        *doubt = "target not understood";
        return 0;
    }
    return (unsigned)number;
}

/* name:target:offset:pattern[:minimum level[:maximum level]] */
static void ndb_line(struct reader *reader)
{
    struct source_signature signature = {.name = reader->line};
    char *fields[6];
    unsigned count = read_split(reader->line, ':', fields, 6);

    if (count < 4 || count > 6) {
        read_emit_doubtful(reader, fields[0], "line has not four to six fields");
        return;
    }
    if (count == 6 && read_is_old(fields[5])) {
        reader->count++;
        return;
    }
    signature.necessary = body_read(reader->arena, fields[3], strlen(fields[3]),
                                    strcmp(fields[2], "0") == 0 ? BODY_START : 0, &signature.doubt);
    signature.target = hash_target(fields[1], &signature.doubt);
    read_emit(reader, &signature);
}

enum status read_ndb(struct reader *reader)
{
    enum status status;

    while (read_next(reader, &status))
        ndb_line(reader);
    read_emit_old(reader);
    return status;
}

/* name=pattern, the oldest form. */
static void db_line(struct reader *reader)
{
    struct source_signature signature = {.name = reader->line};
    char *pattern = strchr(reader->line, '=');

    if (pattern == NULL) {
        read_emit_doubtful(reader, reader->line, "line without '='");
        return;
    }
    *pattern++ = '\0';
    signature.necessary = body_read(reader->arena, pattern, strlen(pattern), 0, &signature.doubt);
    read_emit(reader, &signature);
}

enum status read_db(struct reader *reader)
{
    enum status status;

    while (read_next(reader, &status))
        db_line(reader);
    return status;
}
