#include "signatures/compile/types.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TYPES_LINE_BYTES   8192u /* libclamav cuts lines at this length too */
#define TYPES_TOKENS       8u
#define TYPES_SKIP_MAX     32u  /* a fixed distance up to this is spelled out as any bytes */
#define TYPES_END_MAX      512u /* signatures/content/type/type.h, TYPE_END_MAX */
#define TYPES_GROUP_BYTES  4u   /* the shortest leaf */
#define TYPES_ALTERNATIVES 32u
#define TYPES_WHOLE        UINT32_MAX

#define TYPES_MATCHED (PREFILTER_RAW | PREFILTER_TEXT | PREFILTER_IMAGE | PREFILTER_BINARY)

/* Where libclamav acts on a type that it finds in the middle of a buffer. `at_begin`: it acts even
 * when the pattern is at offset 0. */
static const struct types_act {
    const char *type;
    uint32_t domains;
    bool at_begin;
} types_acts[] = {
    {"CL_TYPE_ZIPSFX", TYPES_MATCHED, false},
    {"CL_TYPE_RARSFX", TYPES_MATCHED, false},
    {"CL_TYPE_7ZSFX", TYPES_MATCHED, false},
    {"CL_TYPE_CABSFX", TYPES_MATCHED, false},
    {"CL_TYPE_ARJSFX", TYPES_MATCHED, false},
    {"CL_TYPE_EGGSFX", TYPES_MATCHED, false},
    {"CL_TYPE_DMG", TYPES_MATCHED, false},
    {"CL_TYPE_ISO9660", TYPES_MATCHED, false},
    {"CL_TYPE_UDF", TYPES_MATCHED, false},
    {"CL_TYPE_MBR", TYPES_MATCHED, false},
    {"CL_TYPE_MHTML", PREFILTER_TEXT | PREFILTER_BINARY, false},
    {"CL_TYPE_XDP", PREFILTER_TEXT | PREFILTER_BINARY, false},
    {"CL_TYPE_XML_WORD", PREFILTER_TEXT | PREFILTER_BINARY, false},
    {"CL_TYPE_XML_XL", PREFILTER_TEXT | PREFILTER_BINARY, false},
    {"CL_TYPE_XML_HWP", PREFILTER_TEXT | PREFILTER_BINARY, false},
    {"CL_TYPE_MAIL", PREFILTER_WATCH_ASCII, true},
    {"CL_TYPE_HTML", PREFILTER_WATCH_ASCII | PREFILTER_WATCH_GIF, true},
    /* Only inside executables and containers, which are never vouched for. */
    {"CL_TYPE_NULSFT", 0, false},
    {"CL_TYPE_AUTOIT", 0, false},
    {"CL_TYPE_ISHIELD_MSI", 0, false},
    {"CL_TYPE_MSEXE", 0, false},
    /* Lower than what the search keeps offsets of, or never acted upon: the type of the first 1,024
     * bytes only. */
    {"CL_TYPE_PDF", 0, false},
    {"CL_TYPE_SIS", 0, false},
    {"CL_TYPE_MACHO_UNIBIN", 0, false},
    {"CL_TYPE_JAVA", 0, false},
    {"CL_TYPE_PYTHON_COMPILED", 0, false},
    {"CL_TYPE_LHA_LZH", 0, false},
    {"CL_TYPE_APM", 0, false},
    {"CL_TYPE_IGNORED", 0, false}, /* ends the matching of the buffer: finds less, never more */
};

static const struct types_class {
    const char *type;
    enum prefilter_type_class class;
} types_classes[] = {
    {"CL_TYPE_BINARY_DATA", PREFILTER_CLASS_BINARY}, {"CL_TYPE_TEXT_ASCII", PREFILTER_CLASS_TEXT},
    {"CL_TYPE_HTML", PREFILTER_CLASS_HTML},          {"CL_TYPE_GRAPHICS", PREFILTER_CLASS_IMAGE},
    {"CL_TYPE_GIF", PREFILTER_CLASS_IMAGE},          {"CL_TYPE_PNG", PREFILTER_CLASS_IMAGE},
    {"CL_TYPE_JPEG", PREFILTER_CLASS_IMAGE},         {"CL_TYPE_TIFF", PREFILTER_CLASS_IMAGE},
    {"CL_TYPE_IGNORED", PREFILTER_CLASS_IGNORED},
};

/* A pattern while it is read. */
struct types_pattern {
    const char *at;
    struct types_entry *entry;
    bool exact; /* agrees with exactly what libclamav's does */
    bool full;  /* no room for more elements */
    bool bad;
};

static enum types_answer types_say(struct types_entry *entry, enum types_answer answer,
                                   const char *reason)
{
    (void)snprintf(entry->reason, sizeof(entry->reason), "%s", reason);
    return answer;
}

static bool types_number(const char *text, uint32_t *value)
{
    unsigned long long number;
    char *end;

    errno = 0;
    number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || number >= TYPES_WHOLE)
        return false;
    *value = (uint32_t)number;
    return true;
}

static enum prefilter_type_class types_class(const char *type)
{
    for (size_t i = 0; i < sizeof(types_classes) / sizeof(types_classes[0]); i++)
        if (strcmp(types_classes[i].type, type) == 0)
            return types_classes[i].class;
    return PREFILTER_CLASS_ESCALATE;
}

static struct types_act types_act(const char *type)
{
    for (size_t i = 0; i < sizeof(types_acts) / sizeof(types_acts[0]); i++)
        if (strcmp(types_acts[i].type, type) == 0)
            return types_acts[i];
    return (struct types_act){type, TYPES_MATCHED, true};
}

static void types_element(struct types_pattern *pattern, uint8_t value, uint8_t mask)
{
    struct prefilter_magic *magic = &pattern->entry->magic;

    if (pattern->full || magic->length == PREFILTER_MAGIC_MAX) {
        pattern->full = true; /* what is in front of it has to occur all the same */
        pattern->exact = false;
        return;
    }
    pattern->entry->magic_bytes[magic->length] = value;
    pattern->entry->mask_bytes[magic->length] = mask;
    magic->length++;
}

static void types_gap(struct types_pattern *pattern)
{
    types_element(pattern, PREFILTER_MAGIC_GAP, 0);
}

static int types_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* One byte: two hexadecimal digits, either of which may be '?'. */
static bool types_byte(const char *text, uint8_t *value, uint8_t *mask)
{
    *value = 0;
    *mask = 0;
    for (unsigned i = 0; i < 2; i++) {
        int digit = types_digit(text[i]);
        unsigned shift = i == 0 ? 4 : 0;

        if (digit < 0 && text[i] != '?')
            return false;
        if (digit >= 0) {
            *value |= (uint8_t)((unsigned)digit << shift);
            *mask |= (uint8_t)(0xfu << shift);
        }
    }
    return true;
}

/* "{n}", "{n-m}", "[n-m]", ... up to its closing bracket: a distance. */
static void types_distance(struct types_pattern *pattern, char close)
{
    char *end;
    unsigned long skip = strtoul(pattern->at + 1, &end, 10);

    if (close == '}' && *end == '}' && end > pattern->at + 1 && skip <= TYPES_SKIP_MAX) {
        while (skip-- > 0)
            types_element(pattern, 0, 0);
    } else {
        types_gap(pattern);
        pattern->exact = false;
    }
    while (*pattern->at != '\0' && *pattern->at != close)
        pattern->at++;
    if (*pattern->at == '\0')
        pattern->bad = true;
    else
        pattern->at++;
}

/* "(aa|bb)": alternatives of one byte become one element, that agrees with all of them and perhaps
 * with more; anything else in brackets becomes a gap. */
static void types_alternatives(struct types_pattern *pattern)
{
    uint8_t values[TYPES_ALTERNATIVES];
    unsigned count = 0;
    unsigned bits = 0;
    uint8_t mask = 0xff;
    const char *at = pattern->at + 1;
    const char *end = strchr(at, ')');
    bool single = true;

    if (end == NULL) {
        pattern->bad = true;
        return;
    }
    pattern->at = end + 1;
    while (single && at < end) {
        uint8_t byte_mask;

        single = count < TYPES_ALTERNATIVES && types_byte(at, &values[count], &byte_mask) &&
                 byte_mask == 0xff && (at[2] == '|' || at[2] == ')');
        count++;
        at += 3;
    }
    if (!single || count == 0) {
        types_gap(pattern);
        pattern->exact = false;
        return;
    }
    for (unsigned i = 1; i < count; i++)
        mask &= (uint8_t) ~(values[0] ^ values[i]);
    for (uint8_t free = (uint8_t)~mask; free != 0; free &= (uint8_t)(free - 1))
        bits++;
    if (count != 1u << bits)
        pattern->exact = false; /* a value given twice makes it no better */
    types_element(pattern, values[0] & mask, mask);
}

/* "(..)" behind a '!': something else than these. */
static void types_negated(struct types_pattern *pattern)
{
    const char *end = strchr(pattern->at, ')');

    if (end == NULL) {
        pattern->bad = true;
        return;
    }
    types_gap(pattern);
    pattern->at = end + 1;
}

static bool types_pattern_read(struct types_pattern *pattern)
{
    while (*pattern->at != '\0' && !pattern->bad) {
        uint8_t value;
        uint8_t mask;

        switch (*pattern->at) {
        case '*':
            types_gap(pattern);
            pattern->at++;
            break;
        case '{':
            types_distance(pattern, '}');
            break;
        case '[':
            types_distance(pattern, ']');
            break;
        case '!':
            pattern->at++;
            pattern->exact = false;
            types_negated(pattern);
            break;
        case '(':
            types_alternatives(pattern);
            break;
        default:
            pattern->bad = !types_byte(pattern->at, &value, &mask);
            if (!pattern->bad) {
                types_element(pattern, value, mask);
                pattern->at += 2;
            }
            break;
        }
    }
    return !pattern->bad && pattern->entry->magic.length > 0;
}

/* "*", "N", "N,M" (from N to N + M), "EOF-N"; anything else is taken as "*". */
static void types_offset(struct types_entry *entry, const char *text)
{
    struct prefilter_magic *magic = &entry->magic;
    char number[16];
    const char *comma = strchr(text, ',');
    uint32_t from;
    uint32_t shift = 0;

    magic->kind = PREFILTER_MAGIC_PATTERN;
    magic->offset = 0;
    magic->last = TYPES_WHOLE;
    if (strncmp(text, "EOF-", 4) == 0 && types_number(text + 4, &from)) {
        if (from > TYPES_END_MAX || from < magic->length)
            return;
        for (uint32_t i = 0; i < magic->length; i++)
            if (entry->mask_bytes[i] == 0 && entry->magic_bytes[i] == PREFILTER_MAGIC_GAP)
                return;
        magic->kind = PREFILTER_MAGIC_END;
        magic->offset = from;
        magic->last = from;
        return;
    }
    if ((comma == NULL ? strlen(text) : (size_t)(comma - text)) >= sizeof(number))
        return;
    (void)snprintf(number, sizeof(number), "%.*s",
                   (int)(comma == NULL ? strlen(text) : (size_t)(comma - text)), text);
    if (!types_number(number, &from) || (comma != NULL && !types_number(comma + 1, &shift)) ||
        shift >= TYPES_WHOLE - from)
        return;
    magic->offset = from;
    magic->last = from + shift;
}

static bool types_odd(uint8_t byte)
{
    return (byte < 0x20 || byte > 0x7e) && byte != '\t' && byte != '\r' && byte != '\n';
}

static bool types_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

/* The next run of given bytes without white space from *at on; *at goes behind it. */
static bool types_run(const struct types_entry *entry, uint32_t *at, uint32_t *begin,
                      uint32_t *length, bool *odd)
{
    uint32_t i = *at;

    while (i < entry->magic.length &&
           (entry->mask_bytes[i] != 0xff || types_blank(entry->magic_bytes[i])))
        i++;
    *begin = i;
    *odd = false;
    while (i < entry->magic.length && entry->mask_bytes[i] == 0xff &&
           !types_blank(entry->magic_bytes[i])) {
        *odd = *odd || types_odd(entry->magic_bytes[i]);
        i++;
    }
    *length = i - *begin;
    *at = i;
    return *length > 0;
}

/* True when Hyperscan can find it, in text too, without hitting on ordinary mail: a run with a byte
 * that ordinary text does not have. */
static bool types_searchable(const struct types_entry *entry)
{
    uint32_t at = 0;
    uint32_t begin;
    uint32_t length;
    bool odd;

    while (types_run(entry, &at, &begin, &length, &odd))
        if (odd && length >= TYPES_GROUP_BYTES)
            return true;
    return false;
}

/* Where in the whole part the pattern matters, and who looks for it there. */
static void types_place(struct types_entry *entry)
{
    struct types_act act = types_act(entry->type);

    if (!act.at_begin && entry->magic.kind == PREFILTER_MAGIC_PATTERN && entry->magic.last == 0)
        act.domains = 0;
    if (act.domains == 0) {
        (void)types_say(entry, TYPES_ENTRY, "decides the type of the first 1,024 bytes");
        return;
    }
    if (entry->magic.kind == PREFILTER_MAGIC_PATTERN && types_searchable(entry)) {
        entry->group_domains = act.domains & PREFILTER_ALL;
        if ((act.domains & PREFILTER_WATCH_ASCII) != 0)
            entry->group_domains |= PREFILTER_TEXT;
        if ((act.domains & PREFILTER_WATCH_GIF) != 0)
            entry->group_domains |= PREFILTER_IMAGE;
        (void)types_say(entry, TYPES_ENTRY, "searched everywhere");
        return;
    }
    entry->magic.watch = act.domains;
    (void)types_say(entry, TYPES_ENTRY, "watched for");
}

static enum types_answer types_pattern(struct types_entry *entry, const char *offset,
                                       const char *hex, const char *needed)
{
    struct types_pattern pattern = {.at = hex, .entry = entry, .exact = true};

    if (!types_pattern_read(&pattern))
        return types_say(entry, TYPES_BAD, "pattern not understood");
    types_offset(entry, offset);
    /* Only HTML is gone on with when a pattern says so, and only when it surely is. */
    if (types_class(entry->type) == PREFILTER_CLASS_HTML && pattern.exact &&
        strcmp(needed, "CL_TYPE_ANY") == 0)
        entry->magic.class = PREFILTER_CLASS_HTML;
    types_place(entry);
    return TYPES_ENTRY;
}

static enum types_answer types_fixed(struct types_entry *entry, const char *offset, const char *hex)
{
    struct types_pattern pattern = {.at = hex, .entry = entry, .exact = true};
    uint32_t at;

    if (!types_number(offset, &at))
        return types_say(entry, TYPES_BAD, "offset is no number");
    if (strspn(hex, "0123456789abcdefABCDEF") != strlen(hex) || !types_pattern_read(&pattern))
        return types_say(entry, TYPES_BAD, "magic is not hexadecimal");
    entry->magic.kind = PREFILTER_MAGIC_FIXED;
    entry->magic.offset = at;
    entry->magic.last = at;
    if (pattern.exact)
        entry->magic.class = types_class(entry->type);
    return types_say(entry, TYPES_ENTRY, "decides the type");
}

/* libclamav takes an empty flevel as 0. */
static bool types_flevel(const char *text, unsigned *value)
{
    uint32_t number = 0;

    if (text[0] != '\0' && !types_number(text, &number))
        return false;
    *value = number;
    return true;
}

static unsigned types_split(char *line, char *tokens[TYPES_TOKENS + 1])
{
    unsigned count = 0;

    while (count <= TYPES_TOKENS) {
        char *end = strchr(line, ':');

        tokens[count++] = line;
        if (end == NULL)
            break;
        *end = '\0';
        line = end + 1;
    }
    return count;
}

enum types_answer types_read(const char *line, unsigned flevel, struct types_entry *entry)
{
    char copy[TYPES_LINE_BYTES];
    char *tokens[TYPES_TOKENS + 1];
    unsigned count;
    unsigned limit;

    *entry = (struct types_entry){.magic = {.class = PREFILTER_CLASS_ESCALATE}};
    if (line[0] == '#')
        return types_say(entry, TYPES_NOTHING, "comment");
    if (strlen(line) >= sizeof(copy))
        return types_say(entry, TYPES_BAD, "line too long");
    (void)snprintf(copy, sizeof(copy), "%s", line);
    count = types_split(copy, tokens);
    if (count < 6 || count > 8)
        return types_say(entry, TYPES_BAD, "not 6 to 8 fields");
    if (count > 6) {
        if (!types_flevel(tokens[6], &limit))
            return types_say(entry, TYPES_BAD, "flevel is no number");
        if (limit > flevel)
            return types_say(entry, TYPES_NOTHING, "for later libraries");
    }
    if (count > 7) {
        if (!types_flevel(tokens[7], &limit))
            return types_say(entry, TYPES_BAD, "flevel is no number");
        if (limit < flevel)
            return types_say(entry, TYPES_NOTHING, "for earlier libraries");
    }
    if (strlen(tokens[5]) >= sizeof(entry->type) || strncmp(tokens[5], "CL_TYPE_", 8) != 0)
        return types_say(entry, TYPES_BAD, "no file type");
    (void)snprintf(entry->type, sizeof(entry->type), "%s", tokens[5]);
    if (!types_number(tokens[0], &limit))
        return types_say(entry, TYPES_BAD, "magic type is no number");
    switch (limit) {
    case 0:
        return types_fixed(entry, tokens[1], tokens[2]);
    case 1:
        return types_pattern(entry, tokens[1], tokens[2], tokens[4]);
    case 4:
        return types_say(entry, TYPES_NOTHING, "partitions only");
    default:
        return types_say(entry, TYPES_NOTHING, "unknown to libclamav");
    }
}

struct expression *types_necessary(const struct types_entry *entry, struct expression_arena *arena)
{
    struct expression *runs[PREFILTER_MAGIC_MAX];
    struct expression_byte bytes[PREFILTER_MAGIC_MAX];
    unsigned count = 0;
    uint32_t at = 0;
    uint32_t begin;
    uint32_t length;
    bool odd;

    while (types_run(entry, &at, &begin, &length, &odd)) {
        if (!odd || length < TYPES_GROUP_BYTES)
            continue;
        for (uint32_t i = 0; i < length; i++)
            bytes[i] =
                (struct expression_byte){.value = entry->magic_bytes[begin + i], 0xff, false};
        runs[count] = expression_run(arena, bytes, length);
        if (runs[count++] == NULL)
            return NULL;
    }
    return expression_and(arena, runs, count);
}
