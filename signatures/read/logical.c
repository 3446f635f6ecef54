/* Logical signatures: name;description;logic;subsignature 0;subsignature 1;...
 *
 * The logical expression is taken apart where libclamav takes it apart: at the first operator that
 * stands outside parentheses (so a&b|c is a&(b|c)), or, when parentheses enclose the whole, at the
 * last operator directly inside ((a&b|c) is (a&b)|c).
 */
#include <stdlib.h>
#include <string.h>

#include "signatures/read/read.h"

#define LOGICAL_SUBSIGNATURES_MAX 64u
#define LOGICAL_FIELDS_MAX        (3 + LOGICAL_SUBSIGNATURES_MAX)
#define LOGICAL_DEPTH_MAX         256u
#define LOGICAL_LEAVES_MAX        1024u
#define LOGICAL_ATTRIBUTES_MAX    10u

/* A subsignature number met in the logic, and what its standing there requires. */
struct logical_leaf {
    unsigned number;
    struct expression *required;
};

struct logical {
    struct reader *reader;
    struct expression_arena *arena;
    char *subsignatures[LOGICAL_SUBSIGNATURES_MAX];
    struct expression *required[LOGICAL_SUBSIGNATURES_MAX]; /* null: not read yet */
    bool reading[LOGICAL_SUBSIGNATURES_MAX];
    unsigned count;
    unsigned depth;
    struct logical_leaf leaves[LOGICAL_LEAVES_MAX];
    unsigned leaf_count;
    bool image_fuzzy;
    const char *doubt;
};

static struct expression *logical_evaluate(struct logical *logical, const char *start,
                                           const char *end);
static struct expression *logical_subsignature(struct logical *logical, unsigned number);

static struct expression *logical_doubt(struct logical *logical, const char *doubt)
{
    logical->doubt = doubt;
    return expression_true(logical->arena);
}

static struct expression *logical_two(struct logical *logical, char joint, struct expression *left,
                                      struct expression *right)
{
    struct expression *children[] = {left, right};

    return joint == '&' ? expression_and(logical->arena, children, 2)
                        : expression_or(logical->arena, children, 2);
}

/* Digits from `at` on; the number, or UINT32_MAX when there are none or too many. */
static uint32_t logical_number(const char **at, const char *end)
{
    uint32_t number = 0;
    const char *start = *at;

    while (*at < end && **at >= '0' && **at <= '9' && number < 100000000)
        number = number * 10 + (uint32_t)(*(*at)++ - '0');
    return *at == start || (*at < end && **at >= '0' && **at <= '9') ? UINT32_MAX : number;
}

/* A modifier: how often (a group: how often together, and how many different ones). */
struct logical_count {
    char comparison; /* = < >, 0: none */
    uint32_t times;
    uint32_t different;
};

static bool logical_modifier(const char *at, const char *end, struct logical_count *count)
{
    *count = (struct logical_count){.comparison = 0};
    if (at == end)
        return true;
    if (strchr("=<>", *at) == NULL)
        return false;
    count->comparison = *at++;
    count->times = logical_number(&at, end);
    if (count->times != UINT32_MAX && at < end && *at == ',') {
        at++;
        count->different = logical_number(&at, end);
    }
    return at == end && count->times != UINT32_MAX && count->different != UINT32_MAX;
}

/* Can the count be right without a match? */
static bool logical_none_suffices(const struct logical_count *count)
{
    return count->comparison == '<' || (count->comparison == '=' && count->times == 0);
}

static struct expression *logical_leaf(struct logical *logical, const char *at, const char *end)
{
    struct expression *required;
    struct logical_count count;
    uint32_t number = logical_number(&at, end);

    /* What stands between number and modifier libclamav does not see. */
    while (at < end && strchr("=<>()", *at) == NULL)
        at++;
    if (number >= logical->count || !logical_modifier(at, end, &count))
        return logical_doubt(logical, "logical expression not understood");
    required = logical_none_suffices(&count) ? expression_true(logical->arena)
                                             : logical_subsignature(logical, number);
    if (logical->leaf_count == LOGICAL_LEAVES_MAX)
        return logical_doubt(logical, "logical expression too long");
    logical->leaves[logical->leaf_count++] = (struct logical_leaf){number, required};
    return required;
}

/* At least `different` of the subsignatures named since `first_leaf` must match: of any N - k + 1
 * of the N, one does. Taken for each row of so many in turn. */
static struct expression *logical_some(struct logical *logical, unsigned first_leaf,
                                       uint32_t different)
{
    struct expression *each[LOGICAL_SUBSIGNATURES_MAX];
    struct expression *rows[LOGICAL_SUBSIGNATURES_MAX];
    bool seen[LOGICAL_SUBSIGNATURES_MAX] = {false};
    unsigned count = 0;

    for (unsigned i = first_leaf; i < logical->leaf_count; i++) {
        unsigned number = logical->leaves[i].number;
        struct expression *required = logical->leaves[i].required;

        if (seen[number])
            continue;
        seen[number] = true;
        for (unsigned j = i + 1; j < logical->leaf_count; j++)
            if (logical->leaves[j].number == number)
                required = logical_two(logical, '|', required, logical->leaves[j].required);
        each[count++] = required;
    }
    if (different == 0 || different > count)
        return expression_true(logical->arena);
    for (unsigned i = 0; i < different; i++)
        rows[i] = expression_or(logical->arena, each + i, count - different + 1);
    return expression_and(logical->arena, rows, different);
}

/* Where an expression falls apart. */
struct logical_cut {
    const char *outside;   /* first operator outside parentheses, or null */
    const char *inside;    /* last operator in the first level of parentheses, or null */
    const char *group_end; /* the last parenthesis that closes the first level */
    bool bad;
};

static struct logical_cut logical_find_cut(const char *start, const char *end)
{
    struct logical_cut cut = {.bad = false};
    unsigned depth = 0;

    for (const char *at = start; at < end && cut.outside == NULL; at++) {
        if (*at == '(') {
            depth++;
        } else if (*at == ')') {
            cut.bad = cut.bad || depth == 0;
            depth -= depth > 0 ? 1 : 0;
            if (depth == 0)
                cut.group_end = at;
        } else if (*at == '&' || *at == '|') {
            if (depth == 0)
                cut.outside = at;
            else if (depth == 1)
                cut.inside = at;
        }
    }
    cut.bad = cut.bad || depth != 0;
    return cut;
}

/* (left operator right) and perhaps a modifier. */
static struct expression *logical_group(struct logical *logical, const char *start,
                                        const struct logical_cut *cut, const char *end)
{
    unsigned first_leaf = logical->leaf_count;
    struct expression *left;
    struct expression *required;
    struct logical_count count;

    if (*start != '(' || !logical_modifier(cut->group_end + 1, end, &count))
        return logical_doubt(logical, "logical expression not understood");
    left = logical_evaluate(logical, start + 1, cut->inside);
    required = logical_two(logical, *cut->inside, left,
                           logical_evaluate(logical, cut->inside + 1, cut->group_end));
    if (count.different > 0)
        return logical_two(logical, '&', required,
                           logical_some(logical, first_leaf, count.different));
    if (logical_none_suffices(&count))
        return expression_true(logical->arena);
    return required;
}

static struct expression *logical_evaluate(struct logical *logical, const char *start,
                                           const char *end)
{
    struct expression *result;
    struct logical_cut cut;

    while (start < end && *start == ' ')
        start++;
    while (start < end && end[-1] == ' ')
        end--;
    if (start == end || logical->depth == LOGICAL_DEPTH_MAX)
        return logical_doubt(logical, "logical expression not understood");
    logical->depth++;
    cut = logical_find_cut(start, end);
    if (cut.bad) {
        result = logical_doubt(logical, "logical expression not understood");
    } else if (cut.outside != NULL) {
        result = logical_evaluate(logical, start, cut.outside);
        result = logical_two(logical, *cut.outside, result,
                             logical_evaluate(logical, cut.outside + 1, end));
    } else if (cut.inside != NULL) {
        result = logical_group(logical, start, &cut, end);
    } else if (*start == '(' && cut.group_end == end - 1) {
        result = logical_evaluate(logical, start + 1, end - 1);
    } else {
        result = logical_leaf(logical, start, end);
    }
    logical->depth--;
    return result;
}

/* Fields at `delimiter`, not where a regular expression between slashes holds it. Slashes count
 * from field `first` on. */
static unsigned logical_split(char *text, char delimiter, char **fields, unsigned max,
                              unsigned first)
{
    unsigned count = 0;
    bool inside = false;
    char *start = text;

    for (char *at = text;; at++) {
        if (*at == '\0' || (*at == delimiter && !inside)) {
            bool last = *at == '\0';

            if (count < max)
                fields[count] = start;
            count++;
            *at = '\0';
            if (last)
                return count;
            start = at + 1;
        } else if (*at == '/' && count >= first && at > text && at[-1] != '\\') {
            inside = !inside;
        }
    }
}

/* [offset:]trigger/expression/[flags] */
static struct expression *logical_regex(struct logical *logical, char *text)
{
    char *fields[3];
    unsigned count = logical_split(text, ':', fields, 3, 0);
    char *first = strchr(fields[count == 2 ? 1 : 0], '/');
    char *last = strrchr(fields[count == 2 ? 1 : 0], '/');
    unsigned options = 0;
    unsigned leaf_count = logical->leaf_count;
    struct expression *trigger;

    if (count > 2 || first == NULL || first == last)
        return logical_doubt(logical, "regular expression subsignature not understood");
    for (const char *flag = last + 1; *flag != '\0'; flag++) {
        options |= *flag == 'i' ? REGEX_CASELESS : 0;
        options |= *flag == 'x' ? REGEX_EXTENDED : 0;
    }
    trigger = logical_evaluate(logical, fields[count == 2 ? 1 : 0], first);
    logical->leaf_count = leaf_count;
    return logical_two(logical, '&', trigger,
                       regex_read(logical->arena, first + 1, (size_t)(last - first - 1), options,
                                  &logical->doubt));
}

/* reference(offset#options#comparisons): needs the referred to subsignature. */
static struct expression *logical_byte_compare(struct logical *logical, const char *text)
{
    const char *at = text;
    uint32_t number = logical_number(&at, text + strlen(text));

    if (number >= logical->count || *at != '(')
        return logical_doubt(logical, "byte comparison not understood");
    return logical_subsignature(logical, number);
}

/* [offset:]pattern[::modifiers] */
static struct expression *logical_body(struct logical *logical, char *text)
{
    char *fields[4] = {NULL};
    unsigned count = read_split(text, ':', fields, 4);
    const char *pattern = fields[count % 2 == 0 ? 1 : 0];
    const char *modifiers = count == 3 || count == 4 ? fields[count - 1] : "";
    unsigned options = 0;
    bool ascii = false;
    struct expression *wide = NULL;
    struct expression *plain;

    for (const char *at = modifiers; *at != '\0'; at++) {
        if (strchr("iwfa", *at) == NULL)
            return logical_doubt(logical, "subsignature modifier not known");
        options |= *at == 'i' ? BODY_CASELESS : 0;
        options |= *at == 'w' ? BODY_WIDE : 0;
        ascii = ascii || *at == 'a';
    }
    if (count > 4)
        return logical_doubt(logical, "subsignature not understood");
    if (count % 2 == 0 && strcmp(fields[0], "0") == 0)
        options |= BODY_START;
    if ((options & BODY_WIDE) != 0) {
        wide = body_read(logical->arena, pattern, strlen(pattern), options, &logical->doubt);
        if (!ascii)
            return wide;
    }
    plain =
        body_read(logical->arena, pattern, strlen(pattern), options & ~BODY_WIDE, &logical->doubt);
    return wide == NULL && (options & BODY_WIDE) == 0 ? plain
                                                      : logical_two(logical, '|', wide, plain);
}

/* What a subsignature is, libclamav tells by what characters are in it; so does this. */
static struct expression *logical_read_subsignature(struct logical *logical, char *text)
{
    if (text[0] == '$')
        return logical_doubt(logical, "macro");
    if (strchr(text, '/') != NULL)
        return logical_regex(logical, text);
    if (strchr(text, '(') != NULL && strchr(text, '#') != strrchr(text, '#'))
        return logical_byte_compare(logical, text);
    if (strncmp(text, "fuzzy_img#", 10) == 0) {
        logical->image_fuzzy = true;
        return logical_doubt(logical, "fuzzy image hash");
    }
    return logical_body(logical, text);
}

static struct expression *logical_subsignature(struct logical *logical, unsigned number)
{
    if (logical->reading[number])
        return logical_doubt(logical, "subsignature refers to itself");
    if (logical->required[number] == NULL) {
        logical->reading[number] = true;
        logical->required[number] =
            logical_read_subsignature(logical, logical->subsignatures[number]);
        logical->reading[number] = false;
    }
    return logical->required[number];
}

/* The target description block: name:value,name:value,... `old`: not for libraries of today. */
static void logical_describe(struct logical *logical, char *text,
                             struct source_signature *signature, bool *old)
{
    char *fields[LOGICAL_ATTRIBUTES_MAX];
    unsigned count = read_split(text, ',', fields, LOGICAL_ATTRIBUTES_MAX);
    bool container_never = false;
    bool intermediates_never = false;
    bool target_seen = false;

    *old = false;
    for (unsigned i = 0; i < count && i < LOGICAL_ATTRIBUTES_MAX; i++) {
        char *value = strchr(fields[i], ':');
        uint64_t number = 0;

        if (value == NULL)
            continue;
        *value++ = '\0';
        if (strcmp(fields[i], "Target") == 0) {
            target_seen = (*value == '\0' || read_number(value, &number)) && number < 256;
            signature->target = target_seen ? (unsigned)number : 0;
        } else if (strcmp(fields[i], "Engine") == 0) {
            char *last = strchr(value, '-');

            *old = last != NULL && read_number(last + 1, &number) && number < READ_LEVEL_OLD;
        } else if (strcmp(fields[i], "Container") == 0) {
            container_never = read_type_never(value);
        } else if (strcmp(fields[i], "Intermediates") == 0) {
            char *types[16];
            unsigned type_count = read_split(value, '>', types, 16);

            intermediates_never = false;
            for (unsigned j = 0; j < type_count && j < 16; j++)
                intermediates_never = intermediates_never || read_type_never(types[j]);
        }
    }
    signature->container_never = container_never || intermediates_never;
    if (!target_seen)
        logical->doubt = "no target understood";
}

void logical_read(struct reader *reader, char *line)
{
    static const char too_many[] = "too many fields";
    struct logical *logical = calloc(1, sizeof(*logical));
    struct source_signature signature = {.name = line};
    char *fields[LOGICAL_FIELDS_MAX] = {NULL};
    bool old;
    unsigned count = logical_split(line, ';', fields, LOGICAL_FIELDS_MAX, 2);

    if (logical == NULL) {
        reader->status = STATUS_NO_MEMORY;
        return;
    }
    if (count < 4 || count > LOGICAL_FIELDS_MAX) {
        read_emit_doubtful(reader, fields[0], count < 4 ? "too few fields" : too_many);
        free(logical);
        return;
    }
    logical->reader = reader;
    logical->arena = reader->arena;
    logical->count = count - 3;
    memcpy(logical->subsignatures, fields + 3, logical->count * sizeof(fields[0]));
    logical_describe(logical, fields[1], &signature, &old);
    if (old) {
        reader->count++;
        free(logical);
        return;
    }
    signature.necessary = logical_evaluate(logical, fields[2], fields[2] + strlen(fields[2]));
    /* What is read only because the logic refers to it decides this; so look at all of them. */
    for (unsigned i = 0; i < logical->count; i++)
        if (fields[3 + i] != NULL && strncmp(fields[3 + i], "fuzzy_img#", 10) == 0)
            logical->image_fuzzy = true;
    signature.image_fuzzy = logical->image_fuzzy;
    signature.doubt = logical->doubt;
    if (signature.doubt == NULL && signature.necessary != NULL &&
        expression_is_true(signature.necessary))
        signature.doubt = "can match without any subsignature";
    read_emit(reader, &signature);
    free(logical);
}

enum status read_ldb(struct reader *reader)
{
    enum status status;

    while (read_next(reader, &status))
        logical_read(reader, reader->line);
    read_emit_old(reader);
    return status;
}
