#include "platform/config/read.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/check.h"
#include "platform/config/unknown.h"
#include "platform/config/values.h"

#define READ_PATH_BYTES 192u

struct reader {
    struct locate *locate;
    struct config *config;
    bool no_memory;
    char path[READ_PATH_BYTES]; /* of the group or list at work, for texts */
};

/* A group under conversion. */
struct part {
    const struct schema_group *group;
    int node;   /* LOCATE_NONE when the file has no such mapping: all keys then take defaults */
    int parent; /* where to point at in that case */
    void *base;
    bool inherited; /* the struct is filled already; what is not given stays */
};

/* Lengthens the path; returns what read_leave() needs to shorten it again. */
static size_t read_enter(struct reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static size_t read_enter(struct reader *reader, const char *format, ...)
{
    size_t used = strlen(reader->path);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(reader->path + used, sizeof(reader->path) - used, format, arguments);
    va_end(arguments);
    return used;
}

static void read_leave(struct reader *reader, size_t used)
{
    reader->path[used] = '\0';
}

static const char *read_dot(const struct reader *reader)
{
    return reader->path[0] ? "." : "";
}

static void read_missing(struct reader *reader, const struct part *part,
                         const struct schema_key *key)
{
    char wanted[VALUES_WANTED_BYTES];

    if (unknown_means(reader->locate, part->group, part->node, key->name))
        return; /* the misspelt key is the error */
    values_wanted(key, wanted);
    (void)locate_fail(reader->locate, part->node ? part->node : part->parent,
                      "%s is missing (%s%s%s); %s", key->name, reader->path, read_dot(reader),
                      key->name, wanted);
}

static void read_wrong_kind(struct reader *reader, int node, enum locate_kind belongs,
                            const char *wanted)
{
    (void)locate_fail(reader->locate, node, "%s where %s%s belongs (%s); %s",
                      locate_kind_text(locate_kind(reader->locate, node)),
                      locate_kind_text(belongs), belongs == LOCATE_MAPPING ? " with keys" : "",
                      reader->path[0] ? reader->path : "the whole file", wanted);
}

/* A single value at `node`; the path is its own. */
static void read_text(struct reader *reader, const struct schema_key *key, int node, void *base)
{
    const char *text = locate_text(reader->locate, node);
    char wanted[VALUES_WANTED_BYTES];

    if (text && values_parse(key, text, base))
        return;
    values_wanted(key, wanted);
    if (!text)
        read_wrong_kind(reader, node, LOCATE_TEXT, wanted);
    else
        (void)locate_fail(reader->locate, node, "\"%.60s\" is not valid (%s); %s", text,
                          reader->path, wanted);
}

static void read_value(struct reader *reader, const struct part *part, const struct schema_key *key)
{
    int node = locate_child(reader->locate, part->node, key->name);
    size_t used = 0;

    if (node != LOCATE_NONE) {
        used = read_enter(reader, "%s%s", read_dot(reader), key->name);
        read_text(reader, key, node, part->base);
        read_leave(reader, used);
    } else if (key->mandatory) {
        read_missing(reader, part, key);
    } else if (!part->inherited && key->fallback) {
        CHECK(values_parse(key, key->fallback, part->base));
    }
}

static void read_keys(struct reader *reader, const struct part *part);

/* One text for every key of the group. */
static bool read_word_to(const struct schema_group *group, const char *text, void *base)
{
    for (unsigned i = 0; i < group->count; i++) {
        const struct schema_key *key = &group->keys[i];
        bool right = key->type == SCHEMA_GROUP
                         ? read_word_to(key->group, text, (char *)base + key->offset)
                         : values_parse(key, text, base);

        if (!right)
            return false;
    }
    return true;
}

/* A key of the group, or of one in it, that has a value. */
static const struct schema_key *read_some_key(const struct schema_group *group)
{
    const struct schema_key *key = &group->keys[0];

    return key->type == SCHEMA_GROUP ? read_some_key(key->group) : key;
}

static void read_word(struct reader *reader, const struct part *part)
{
    const char *text = locate_text(reader->locate, part->node);
    char wanted[VALUES_WANTED_BYTES];

    if (read_word_to(part->group, text, part->base))
        return;
    values_wanted(read_some_key(part->group), wanted);
    (void)locate_fail(reader->locate, part->node,
                      "\"%.60s\" is not valid (%s); %s, or a mapping with keys such as %s", text,
                      reader->path, wanted, part->group->keys[0].name);
}

static void read_group(struct reader *reader, const struct part *part)
{
    enum locate_kind kind = locate_kind(reader->locate, part->node);

    if (part->node != LOCATE_NONE && kind == LOCATE_TEXT && part->group->word) {
        read_word(reader, part);
        return;
    }
    if (part->node != LOCATE_NONE && kind != LOCATE_MAPPING) {
        read_wrong_kind(reader, part->node, LOCATE_MAPPING, "write a mapping with keys");
        return;
    }
    unknown_report(reader->locate, part->group, part->node, reader->path);
    read_keys(reader, part);
}

static void read_inner_group(struct reader *reader, const struct part *outer,
                             const struct schema_key *key)
{
    struct part part = {
        .group = key->group,
        .node = locate_child(reader->locate, outer->node, key->name),
        .parent = outer->node ? outer->node : outer->parent,
        .base = (char *)outer->base + key->offset,
        .inherited = outer->inherited || key->inherits != 0,
    };
    size_t used = read_enter(reader, "%s%s", read_dot(reader), key->name);

    if (key->inherits != 0)
        memcpy(part.base, (const char *)reader->config + key->inherits, key->size);
    read_group(reader, &part);
    read_leave(reader, used);
}

unsigned read_count(const struct schema_key *list, const void *base)
{
    return *(const unsigned *)((const char *)base + list->count_offset);
}

void *read_entries(const struct schema_key *list, const void *base)
{
    const char *member = (const char *)base + list->offset;

    CHECK(base != NULL);
    return list->in_place ? (void *)member : *(void *const *)member;
}

/* Makes room for `count` entries, which are counted from now on. */
static bool read_make_entries(struct reader *reader, const struct schema_key *list, unsigned count,
                              void *base)
{
    void **member = (void **)((char *)base + list->offset);

    if (!list->in_place) {
        *member = calloc(count, list->size);
        reader->no_memory = *member == NULL;
    }
    if (!reader->no_memory)
        *(unsigned *)((char *)base + list->count_offset) = count;
    return !reader->no_memory;
}

static void read_entry(struct reader *reader, const struct schema_key *list, int list_node,
                       unsigned index, void *base)
{
    int node = locate_item(reader->locate, list_node, index);
    char *entry = (char *)read_entries(list, base) + (size_t)index * list->size;
    struct part part = {.group = list->group, .node = node, .parent = list_node, .base = entry};
    size_t used = read_enter(reader, "[%u]", index + 1);

    if (list->group)
        read_group(reader, &part);
    else
        read_text(reader, list->entry, node, entry);
    read_leave(reader, used);
}

static void read_entries_of(struct reader *reader, const struct schema_key *list, int node,
                            void *base)
{
    unsigned count = locate_items(reader->locate, node);

    if (locate_kind(reader->locate, node) != LOCATE_LIST) {
        read_wrong_kind(reader, node, LOCATE_LIST, "write a list");
        return;
    }
    if (count < list->min || count > list->max) {
        (void)locate_fail(reader->locate, node,
                          "too %s entries (%s); write %u to %u, or leave the key out if it is "
                          "optional",
                          count < list->min ? "few" : "many", reader->path, (unsigned)list->min,
                          (unsigned)list->max);
        return;
    }
    if (!read_make_entries(reader, list, count, base))
        return;
    for (unsigned i = 0; i < count && !reader->no_memory; i++)
        read_entry(reader, list, node, i, base);
}

/* The list is written out, so the keys of a single entry have no business beside it. */
static void read_refuse_direct(struct reader *reader, const struct part *part,
                               const struct schema_key *list)
{
    for (unsigned i = 0; i < list->group->count; i++) {
        const char *name = list->group->keys[i].name;
        int key = locate_key(reader->locate, part->node, name);

        if (key != LOCATE_NONE)
            (void)locate_fail(reader->locate, key,
                              "%s beside %s (%s%s%s); write it in an entry of %s", name, list->name,
                              reader->path, read_dot(reader), name, list->name);
    }
}

static void read_list(struct reader *reader, const struct part *part, const struct schema_key *list)
{
    int node = locate_child(reader->locate, part->node, list->name);
    size_t used = 0;

    if (node != LOCATE_NONE) {
        if (list->direct)
            read_refuse_direct(reader, part, list);
        used = read_enter(reader, "%s%s", read_dot(reader), list->name);
        read_entries_of(reader, list, node, part->base);
        read_leave(reader, used);
    } else if (list->direct && read_make_entries(reader, list, 1, part->base)) {
        struct part entry = *part;

        entry.group = list->group;
        entry.base = read_entries(list, part->base);
        read_keys(reader, &entry);
    } else if (list->mandatory) {
        read_missing(reader, part, list);
    }
}

static void read_keys(struct reader *reader, const struct part *part)
{
    for (unsigned i = 0; i < part->group->count && !reader->no_memory; i++) {
        const struct schema_key *key = &part->group->keys[i];

        if (key->type == SCHEMA_GROUP)
            read_inner_group(reader, part, key);
        else if (key->type == SCHEMA_LIST)
            read_list(reader, part, key);
        else
            read_value(reader, part, key);
    }
}

/* Of a format that is not known, nothing can be said but that. */
static bool read_version_is_known(struct reader *reader, const struct part *file)
{
    const struct schema_key *version = unknown_find(&schema_file, "version");

    CHECK(version != NULL);
    read_value(reader, file, version);
    return reader->locate->errors->count == 0;
}

enum status read_file_tree(struct locate *locate, struct config *config)
{
    struct reader reader = {.locate = locate, .config = config};
    struct part file = {.group = &schema_file,
                        .node = locate_root(locate),
                        .parent = locate_root(locate),
                        .base = config};

    if (read_version_is_known(&reader, &file))
        read_group(&reader, &file);
    if (reader.no_memory)
        return STATUS_NO_MEMORY;
    return locate->errors->count > 0 ? STATUS_BAD_CONFIG : STATUS_OK;
}

void read_defaults(const struct schema_group *group, void *base)
{
    for (unsigned i = 0; i < group->count; i++) {
        const struct schema_key *key = &group->keys[i];

        if (key->type == SCHEMA_GROUP) {
            read_defaults(key->group, (char *)base + key->offset);
            continue;
        }
        CHECK(!key->mandatory && key->fallback != NULL);
        CHECK(values_parse(key, key->fallback, base));
    }
}

void read_free(const struct schema_group *group, void *base)
{
    for (unsigned i = 0; i < group->count; i++) {
        const struct schema_key *key = &group->keys[i];
        char *entries = NULL;

        if (key->type == SCHEMA_GROUP)
            read_free(key->group, (char *)base + key->offset);
        if (key->type != SCHEMA_LIST)
            continue;
        entries = read_entries(key, base);
        for (unsigned j = 0; key->group && entries && j < read_count(key, base); j++)
            read_free(key->group, entries + (size_t)j * key->size);
        if (!key->in_place)
            free(entries);
    }
}
