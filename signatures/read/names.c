/* Formats about names, and those of no consequence to a prefilter, which are only counted. */
#include <stdlib.h>
#include <string.h>

#include "signatures/read/read.h"

/* name:container:container size:file name:size:real size:encrypted:position:...: applies to the
 * parts of a mail when the container is mail or any. */
static void cdb_line(struct reader *reader)
{
    struct source_name_rule rule = {.name = reader->line};
    char *fields[12];
    unsigned count = read_split(reader->line, ':', fields, 12);

    if (count < 4 || count > 12) {
        read_emit_doubtful(reader, fields[0], "container line not understood");
        return;
    }
    reader->count++;
    if (read_type_never(fields[1]))
        return;
    rule.pattern = strcmp(fields[3], "*") == 0 ? NULL : fields[3];
    rule.file = reader->file;
    rule.line = reader->line_number;
    if (reader->sink->name_rule != NULL)
        reader->sink->name_rule(reader->sink->context, &rule);
}

enum status read_cdb(struct reader *reader)
{
    enum status status;

    while (read_next(reader, &status))
        cdb_line(reader);
    read_emit_count(reader, "container rules");
    return status;
}

/* A functionality level (":17-", ":17-100") at the end of a phishing line is cut off. */
static void pdb_cut_level(char *text)
{
    char *colon = strrchr(text, ':');
    bool dash = false;

    if (colon == NULL)
        return;
    for (char *at = colon + 1; *at != '\0'; at++) {
        if (*at == '-' && !dash)
            dash = true;
        else if (*at < '0' || *at > '9')
            return;
    }
    if (dash)
        *colon = '\0';
}

/* H:host, R:regular expression (a filter may stand before the colon), S:hash. */
static void pdb_line(struct reader *reader)
{
    char *value;
    char *line = reader->line;

    pdb_cut_level(line);
    reader->count++;
    value = strchr(line, ':');
    if (reader->sink->phishing_domain == NULL)
        return;
    if (value != NULL && (line[0] == 'H' || line[0] == 'R'))
        reader->sink->phishing_domain(reader->sink->context, value + 1, line[0] == 'R');
    else
        reader->sink->phishing_domain(reader->sink->context, ".*", true);
}

enum status read_pdb(struct reader *reader)
{
    enum status status;

    while (read_next(reader, &status))
        pdb_line(reader);
    read_emit_count(reader, "phishing domains");
    return status;
}

/* name, name:md5 of the line, or repository:line:name. */
enum status read_ign(struct reader *reader)
{
    enum status status;

    while (read_next(reader, &status)) {
        char *fields[3];
        unsigned count = read_split(reader->line, ':', fields, 3);

        reader->count++;
        if (count <= 3 && reader->sink->ignored != NULL)
            reader->sink->ignored(reader->sink->context, fields[count == 3 ? 2 : 0]);
    }
    read_emit_count(reader, "ignored names");
    return status;
}

/* The dynamic configuration: module:flags[:minimum level[:maximum level]]. What it turns off is
 * less to find, except where it changes what is looked through: raw HTML is left out, and entities
 * are decoded, only while these flags are set. Lines for levels long gone are common. */
#define CFG_HTML_SKIP_RAW 0x10u
#define CFG_ENTITIES      0x02u

static void cfg_line(struct reader *reader)
{
    char *fields[4];
    unsigned count = read_split(reader->line, ':', fields, 4);
    uint64_t level_max = UINT64_MAX;
    uint32_t needed = 0;
    unsigned flags = 0;

    reader->count++;
    if (strcmp(fields[0], "DOCUMENT") == 0)
        needed = CFG_HTML_SKIP_RAW;
    else if (strcmp(fields[0], "PHISHING") == 0)
        needed = CFG_ENTITIES;
    else
        return;
    if (count >= 4 && read_number(fields[3], &level_max) && level_max < READ_LEVEL_OLD)
        return;
    if (count >= 2 && strncmp(fields[1], "0x", 2) == 0)
        flags = (unsigned)strtoul(fields[1], NULL, 16);
    if ((flags & needed) == 0)
        read_emit_doubtful(reader, fields[0], "configuration changes what is looked through");
}

enum status read_cfg(struct reader *reader)
{
    enum status status;

    while (read_next(reader, &status))
        cfg_line(reader);
    read_emit_count(reader, "configuration lines");
    return status;
}

static enum status count_lines(struct reader *reader, const char *kind)
{
    enum read_line line;
    const char *doubt;

    do {
        line = read_line(reader, &doubt);
        if ((line == READ_LINE || line == READ_ODD) && reader->line[0] != '#' &&
            reader->line[0] != '\0')
            reader->count++;
    } while (line != READ_END && line != READ_ERROR);
    read_emit_count(reader, kind);
    return line == READ_ERROR ? STATUS_SYSTEM : STATUS_OK;
}

enum status read_allowed(struct reader *reader)
{
    return count_lines(reader, "allowed");
}

enum status read_sections(struct reader *reader)
{
    return count_lines(reader, "sections of executables");
}

enum status read_archive(struct reader *reader)
{
    return count_lines(reader, "names in archives");
}

enum status read_icons(struct reader *reader)
{
    return count_lines(reader, "icons of executables");
}

enum status read_certificates(struct reader *reader)
{
    return count_lines(reader, "certificates");
}

enum status read_passwords(struct reader *reader)
{
    return count_lines(reader, "passwords");
}

enum status read_information(struct reader *reader)
{
    return count_lines(reader, "checksums of the container");
}
