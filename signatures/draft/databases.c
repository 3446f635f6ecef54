#include "signatures/draft/databases.h"
#include "platform/why.h"

#include <ctype.h>
#include <hs/hs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DATABASE_ANY_NAME "."
/* PREFILTER: what Hyperscan cannot do exactly may match too often, never too rarely. */
#define DATABASE_NAME_FLAGS \
    (HS_FLAG_CASELESS | HS_FLAG_DOTALL | HS_FLAG_ALLOWEMPTY | HS_FLAG_PREFILTER)

static enum status database_refuse(hs_error_t error, hs_compile_error_t *details, struct why *why)
{
    why_set(why, "Hyperscan: %s",
            details != NULL && details->message != NULL ? details->message : "does not compile");
    (void)hs_free_compile_error(details);
    return error == HS_NOMEM ? STATUS_NO_MEMORY : STATUS_BAD_FORMAT;
}

/* Takes `made`. */
static enum status database_serialise(hs_database_t *made, struct draft_database *database,
                                      struct why *why)
{
    hs_error_t error = hs_serialize_database(made, &database->bytes, &database->length);

    (void)hs_free_database(made);
    return error == HS_SUCCESS ? STATUS_OK : database_refuse(error, NULL, why);
}

/* What hs_compile_lit_multi() takes. */
struct database_literals {
    const char **bytes;
    unsigned *flags;
    unsigned *ids;
    size_t *lengths;
    unsigned count;
};

static void literals_fill(struct database_literals *literals, const struct draft_leaf *leaves,
                          size_t count, bool squeezed)
{
    for (size_t i = 0; i < count; i++) {
        if (leaves[i].squeezed != squeezed)
            continue;
        literals->bytes[literals->count] = (const char *)leaves[i].bytes;
        literals->flags[literals->count] = leaves[i].caseless ? HS_FLAG_CASELESS : 0;
        literals->ids[literals->count] = (unsigned)i;
        literals->lengths[literals->count++] = leaves[i].length;
    }
}

static enum status literals_compile(const struct database_literals *literals,
                                    struct draft_database *database, struct why *why)
{
    hs_platform_info_t platform;
    hs_compile_error_t *details = NULL;
    hs_database_t *made = NULL;
    hs_error_t error = hs_populate_platform(&platform);

    if (error == HS_SUCCESS)
        error =
            hs_compile_lit_multi(literals->bytes, literals->flags, literals->ids, literals->lengths,
                                 literals->count, HS_MODE_STREAM, &platform, &made, &details);
    if (error != HS_SUCCESS)
        return database_refuse(error, details, why);
    return database_serialise(made, database, why);
}

enum status database_of_leaves(const struct draft_leaf *leaves, size_t count, bool squeezed,
                               struct draft_database *database, struct why *why)
{
    struct database_literals literals = {
        .bytes = calloc(count + 1, sizeof(*literals.bytes)),
        .flags = calloc(count + 1, sizeof(*literals.flags)),
        .ids = calloc(count + 1, sizeof(*literals.ids)),
        .lengths = calloc(count + 1, sizeof(*literals.lengths)),
    };
    enum status status = STATUS_NO_MEMORY;

    *database = (struct draft_database){0};
    why_set(why, "%s", status_text(STATUS_NO_MEMORY));
    if (literals.bytes != NULL && literals.flags != NULL && literals.ids != NULL &&
        literals.lengths != NULL) {
        literals_fill(&literals, leaves, count, squeezed);
        status = literals.count == 0 ? STATUS_OK : literals_compile(&literals, database, why);
    }
    free(literals.bytes);
    free(literals.flags);
    free(literals.ids);
    free(literals.lengths);
    return status;
}

enum status database_of_names(char *const *patterns, const unsigned *ids, size_t count,
                              struct draft_database *database, struct why *why)
{
    unsigned *flags = calloc(count + 1, sizeof(*flags));
    hs_platform_info_t platform;
    hs_compile_error_t *details = NULL;
    hs_database_t *made = NULL;
    hs_error_t error;

    *database = (struct draft_database){0};
    if (flags == NULL)
        return STATUS_NO_MEMORY;
    if (count == 0) {
        free(flags);
        return STATUS_OK;
    }
    for (size_t i = 0; i < count; i++)
        flags[i] = DATABASE_NAME_FLAGS;
    error = hs_populate_platform(&platform);
    if (error == HS_SUCCESS)
        error = hs_compile_multi((const char *const *)patterns, flags, ids, (unsigned)count,
                                 HS_MODE_BLOCK, &platform, &made, &details);
    free(flags);
    if (error != HS_SUCCESS)
        return database_refuse(error, details, why);
    return database_serialise(made, database, why);
}

/* A bracket expression from its '['; returns what follows it, or null when it has no counterpart.
 * A backslash in it stands for itself, which it does not in Hyperscan's syntax. */
static const char *name_bracket(const char *from, char **to)
{
    *(*to)++ = *from++;
    if (*from == '^')
        *(*to)++ = *from++;
    if (*from == ']') { /* the first is itself */
        *(*to)++ = '\\';
        *(*to)++ = *from++;
    }
    for (; *from != ']'; from++) {
        if (*from == '\0')
            return NULL;
        if (*from == '[' && (from[1] == ':' || from[1] == '.' || from[1] == '='))
            return NULL; /* classes: rare, and some are libclamav's own */
        if (*from == '\\' || *from == '[')
            *(*to)++ = '\\';
        *(*to)++ = *from;
    }
    *(*to)++ = ']';
    return from + 1;
}

/* Writes the translation of `from` to `to` (room: twice its length and one); false: none. */
static bool name_translate(const char *from, char *to)
{
    while (*from != '\0') {
        if (*from == '[') {
            from = name_bracket(from, &to);
            if (from == NULL)
                return false;
            continue;
        }
        if (*from == '(' && from[1] == '?')
            return false;
        if (*from != '\\') {
            *to++ = *from++;
            continue;
        }
        from++;
        if (*from == '\0' || *from == '<' || *from == '>') /* word borders */
            return false;
        if (!isalnum((unsigned char)*from))
            *to++ = '\\';
        *to++ = *from++;
    }
    *to = '\0';
    return true;
}

static bool name_compiles(const char *pattern)
{
    hs_compile_error_t *details = NULL;
    hs_database_t *made = NULL;
    bool compiled = hs_compile(pattern, DATABASE_NAME_FLAGS, HS_MODE_BLOCK, NULL, &made,
                               &details) == HS_SUCCESS;

    (void)hs_free_compile_error(details);
    (void)hs_free_database(made);
    return compiled;
}

enum status database_name_pattern(const char *pattern, char **translated, bool *widened)
{
    size_t length = pattern == NULL ? 0 : strlen(pattern);
    char *made = malloc(2 * length + sizeof(DATABASE_ANY_NAME));

    *translated = made;
    if (made == NULL)
        return STATUS_NO_MEMORY;
    if (pattern != NULL && length > 0 && name_translate(pattern, made) && name_compiles(made))
        return STATUS_OK;
    *widened = *widened || pattern != NULL;
    memcpy(made, DATABASE_ANY_NAME, sizeof(DATABASE_ANY_NAME));
    return STATUS_OK;
}
