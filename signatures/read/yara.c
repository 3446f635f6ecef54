/* YARA rules, as the YARA inside libclamav takes them.
 *
 * A rule requires what its condition requires of its strings: strings and counts of them, `of`
 * sets, and, or. Comparisons of other things, loops, `not` and references to rules require nothing.
 *
 * What libclamav certainly does not load is counted: rules that use modules (it has none, and
 * refuses names it does not know when something is taken from them), string modifiers and hex
 * strings that its grammar does not have, more than 64 strings, and private rules, which it does
 * not report. Rules without strings it does not load either; but a rule that it refuses leaves its
 * strings to the next one. So a rule without strings counts as not loaded only behind one that is
 * certainly taken; whether its name is taken is only known when everything has been read.
 */
#include <stdlib.h>
#include <string.h>

#include "signatures/read/read.h"
#include "signatures/read/yara.h"

#define YARA_BYTES_MAX (64u << 20)

static void yara_strings(struct yara *yara)
{
    while (yara->fate == YARA_TAKEN && yara->token.kind == YARA_STRING) {
        struct yara_string string = {.name = yara->token.start + 1,
                                     .length = yara->token.length - 1};

        yara_advance(yara);
        yara_expect(yara, "=");
        string.required = yara_string_value(yara);
        if (yara->string_count < YARA_STRINGS_MAX)
            yara->strings[yara->string_count] = string;
        yara->string_count++;
    }
    /* Behind the strings comes the condition; other words are modifiers not known there. */
    if (yara->token.kind == YARA_WORD && !yara_is(&yara->token, "condition"))
        yara_give_up(yara, YARA_REFUSED);
}

static void yara_meta(struct yara *yara)
{
    while (yara->fate == YARA_TAKEN && yara->token.kind == YARA_WORD &&
           !yara_is(&yara->token, "strings") && !yara_is(&yara->token, "condition")) {
        yara_advance(yara);
        yara_expect(yara, "=");
        (void)yara_eat(yara, "-");
        if (yara->token.kind != YARA_TEXT && yara->token.kind != YARA_NUMBER &&
            yara->token.kind != YARA_WORD)
            yara_give_up(yara, YARA_UNKNOWN);
        yara_advance(yara);
    }
}

/* From the name on; what the rule requires. */
static struct expression *yara_rule_body(struct yara *yara)
{
    struct expression *required;

    if (yara_eat(yara, ":"))
        while (yara->token.kind == YARA_WORD && !yara_is_keyword(&yara->token))
            yara_advance(yara);
    yara_expect(yara, "{");
    if (yara_eat(yara, "meta")) {
        yara_expect(yara, ":");
        yara_meta(yara);
    }
    if (yara_eat(yara, "strings")) {
        yara_expect(yara, ":");
        yara_strings(yara);
    }
    if (yara->string_count > YARA_STRINGS_MAX)
        yara_give_up(yara, YARA_REFUSED);
    yara_expect(yara, "condition");
    yara_expect(yara, ":");
    if (yara->fate != YARA_TAKEN)
        return yara_true(yara);
    required = yara_or(yara);
    if (!yara_is(&yara->token, "}"))
        yara_give_up(yara, YARA_UNKNOWN);
    return required;
}

struct yara_names {
    uint64_t *hashes;
    size_t count;
    size_t room;
};

static uint64_t yara_hash(const char *name)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (; *name != '\0'; name++)
        hash = (hash ^ (uint8_t)*name) * UINT64_C(1099511628211);
    return hash;
}

static void yara_note(struct reader *reader, struct yara_names **names, uint64_t hash)
{
    if (*names == NULL)
        *names = calloc(1, sizeof(**names));
    if (*names != NULL && (*names)->count == (*names)->room) {
        size_t room = 2 * (*names)->room + 64;
        uint64_t *larger = realloc((*names)->hashes, room * sizeof(*larger));

        if (larger != NULL) {
            (*names)->hashes = larger;
            (*names)->room = room;
        }
    }
    if (*names == NULL || (*names)->count == (*names)->room) {
        reader->status = STATUS_NO_MEMORY;
        return;
    }
    (*names)->hashes[(*names)->count++] = hash;
}

static int yara_order(const void *one, const void *other)
{
    uint64_t left = *(const uint64_t *)one;
    uint64_t right = *(const uint64_t *)other;

    return left < right ? -1 : left > right;
}

void yara_finish(struct reader *reader)
{
    struct yara_names *names = reader->yara_names;
    struct yara_names *before = reader->yara_before;
    bool doubtful = false;

    if (names != NULL && before != NULL) {
        qsort(names->hashes, names->count, sizeof(uint64_t), yara_order);
        for (size_t i = 1; i < names->count; i++) {
            if (names->hashes[i] != names->hashes[i - 1])
                continue;
            for (size_t j = 0; j < before->count; j++)
                doubtful = doubtful || before->hashes[j] == names->hashes[i];
        }
        if (doubtful)
            read_emit_doubtful(reader, "YARA", "rule without strings behind a name taken twice");
    }
    if (names != NULL)
        free(names->hashes);
    if (before != NULL)
        free(before->hashes);
    free(names);
    free(before);
}

/* Is it certain that the rule is taken, if its name is not, and leaves no strings behind? */
static bool yara_certain(const struct yara *yara)
{
    for (unsigned i = 0; i < yara->string_count; i++)
        if (!yara->strings[i].referenced)
            return false;
    return yara->plain && yara->doubt == NULL;
}

/* `token` is the word rule. */
static void yara_rule(struct yara *yara, bool private_rule)
{
    struct source_signature signature = {.name = ""};
    struct reader *reader = yara->reader;
    char name[5 + 128 + 1] = "YARA.?";

    yara->fate = YARA_TAKEN;
    yara->plain = true;
    yara->string_count = 0;
    yara->depth = 0;
    yara->doubt = NULL;
    yara_advance(yara);
    reader->line_number = yara->scan.line;
    if (yara->token.kind == YARA_WORD)
        (void)snprintf(name, sizeof(name), "YARA.%.*s", (int)yara->token.length, yara->token.start);
    else
        yara_give_up(yara, YARA_UNKNOWN);
    yara_note(reader, &reader->yara_names, yara_hash(name));
    yara_advance(yara);
    signature.necessary = yara_rule_body(yara);
    signature.name = name;
    signature.doubt = yara->doubt;
    if (yara->fate == YARA_UNKNOWN) {
        read_emit_doubtful(reader, name, "YARA rule not understood");
        yara->strings_left = true;
        return;
    }
    if (yara->fate == YARA_REFUSED) {
        reader->count++;
        yara->strings_left = yara->strings_left || yara->string_count > 0;
    } else if (private_rule) {
        reader->count++;
        yara->strings_left = !yara_certain(yara);
    } else if (yara->string_count == 0 && !yara->strings_left) {
        reader->count++;
        if (yara->before != 0)
            yara_note(reader, &reader->yara_before, yara->before);
    } else {
        if (signature.doubt == NULL && signature.necessary != NULL &&
            expression_is_true(signature.necessary))
            signature.doubt = "YARA condition requires no string";
        read_emit(reader, &signature);
        yara->strings_left = !yara_certain(yara);
    }
    if (yara->string_count > 0)
        yara->before = yara_hash(name);
    expression_arena_reset(reader->arena);
}

enum status read_yara(struct reader *reader)
{
    struct yara yara = {.reader = reader, .arena = reader->arena};
    bool private_rule = false;
    char *text;
    size_t length;
    enum status status = read_all(reader, YARA_BYTES_MAX, &text, &length);

    if (status != STATUS_OK)
        return status;
    yara.scan = (struct yara_scan){.at = text, .end = text + length, .line = 1};
    if (strlen(text) != length)
        read_emit_doubtful(reader, reader->file, "NUL in a YARA file");
    yara_advance(&yara);
    while (yara.token.kind != YARA_END && yara.token.kind != YARA_STOP &&
           yara.token.kind != YARA_BROKEN) {
        if (yara_is(&yara.token, "rule")) {
            yara_rule(&yara, private_rule);
            private_rule = false;
            continue;
        }
        if (yara.token.kind == YARA_INCLUDE)
            read_emit_doubtful(reader, reader->file, "YARA include");
        private_rule =
            yara_is(&yara.token, "private") || (private_rule && yara_is(&yara.token, "global"));
        yara_advance(&yara);
    }
    reader->line_number = yara.scan.line;
    if (yara.token.kind == YARA_BROKEN)
        read_emit_doubtful(reader, reader->file, "YARA file not understood");
    free(text);
    if (reader->count > 0)
        read_emit_count(reader, "YARA rules libclamav does not load");
    return STATUS_OK;
}
