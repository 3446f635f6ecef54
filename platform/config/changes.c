#include "platform/config/changes.h"

#include <stdio.h>
#include <string.h>

#include "platform/config/read.h"
#include "platform/config/schema.h"
#include "platform/config/values.h"

struct changes {
    char *text;
    size_t size;
    size_t used;
    unsigned count;
};

static void changes_add(struct changes *changes, const char *section, const char *name)
{
    const char *format = changes->count++ > 0 ? ", %s%s%s" : "%s%s%s";
    int length = snprintf(changes->text + changes->used, changes->size - changes->used, format,
                          section, section[0] ? "." : "", name);

    if (length > 0 && (size_t)length < changes->size - changes->used) {
        changes->used += (size_t)length;
        return;
    }
    /* Full: what was begun makes way for the mark, and nothing comes behind it. */
    snprintf(changes->text + changes->used, changes->size - changes->used, "...");
    changes->used = changes->size - 1;
}

static bool changes_same_group(const struct schema_group *group, const void *before,
                               const void *after);

static bool changes_same_list(const struct schema_key *list, const void *before, const void *after)
{
    const char *old = read_entries(list, before);
    const char *new = read_entries(list, after);
    unsigned count = read_count(list, before);

    if (count != read_count(list, after))
        return false;
    for (unsigned i = 0; i < count; i++, old += list->size, new += list->size)
        if (list->group ? !changes_same_group(list->group, old, new) : strcmp(old, new) != 0)
            return false;
    return true;
}

static bool changes_same_key(const struct schema_key *key, const void *before, const void *after)
{
    char old[VALUES_TEXT_BYTES] = "";
    char new[VALUES_TEXT_BYTES] = "";
    bool has_old = false;

    if (key->type == SCHEMA_GROUP)
        return changes_same_group(key->group, (const char *)before + key->offset,
                                  (const char *)after + key->offset);
    if (key->type == SCHEMA_LIST)
        return changes_same_list(key, before, after);
    has_old = values_format(key, before, old);
    return values_format(key, after, new) == has_old && strcmp(old, new) == 0;
}

static bool changes_same_group(const struct schema_group *group, const void *before,
                               const void *after)
{
    for (unsigned i = 0; i < group->count; i++)
        if (!changes_same_key(&group->keys[i], before, after))
            return false;
    return true;
}

static void changes_compare_group(struct changes *changes, const struct schema_group *group,
                                  const char *section, bool restart, const void *before,
                                  const void *after)
{
    for (unsigned i = 0; i < group->count; i++) {
        const struct schema_key *key = &group->keys[i];

        if (key->type == SCHEMA_GROUP)
            changes_compare_group(changes, key->group, key->name, restart || key->restart,
                                  (const char *)before + key->offset,
                                  (const char *)after + key->offset);
        else if ((restart || key->restart) && !changes_same_key(key, before, after))
            changes_add(changes, section, key->name);
    }
}

unsigned changes_for_restart(const struct config *before, const struct config *after, char *text,
                             size_t size)
{
    struct changes changes = {.text = text, .size = size};

    text[0] = '\0';
    changes_compare_group(&changes, &schema_file, "", false, before, after);
    return changes.count;
}
