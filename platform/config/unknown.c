#include "platform/config/unknown.h"

#include <stdio.h>
#include <string.h>

#define UNKNOWN_LENGTH_MAX   40u
#define UNKNOWN_DISTANCE_MAX 2u
#define UNKNOWN_LIST_BYTES   300u

const struct schema_key *unknown_find(const struct schema_group *group, const char *name)
{
    for (unsigned i = 0; i < group->count; i++) {
        const struct schema_key *key = &group->keys[i];
        const struct schema_key *direct = NULL;

        if (strcmp(key->name, name) == 0)
            return key;
        if (key->direct)
            direct = unknown_find(key->group, name);
        if (direct)
            return direct;
    }
    return NULL;
}

static unsigned unknown_least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Optimal string alignment; three rows are enough to see a swap. */
unsigned unknown_distance(const char *a, const char *b)
{
    unsigned rows[3][UNKNOWN_LENGTH_MAX + 1];
    size_t a_length = strlen(a);
    size_t b_length = strlen(b);

    if (a_length > UNKNOWN_LENGTH_MAX || b_length > UNKNOWN_LENGTH_MAX)
        return UNKNOWN_LENGTH_MAX;
    for (unsigned j = 0; j <= b_length; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= a_length; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i + 2) % 3];
        const unsigned *second = rows[(i + 1) % 3];

        row[0] = i;
        for (unsigned j = 1; j <= b_length; j++) {
            row[j] = unknown_least(above[j - 1] + (a[i - 1] != b[j - 1]),
                                   unknown_least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = unknown_least(row[j], second[j - 2] + 1);
        }
    }
    return rows[a_length % 3][b_length];
}

/* The nearest known name, or null when none is near. */
static const char *unknown_suggest(const struct schema_group *group, const char *name,
                                   unsigned *distance)
{
    const char *best = NULL;

    for (unsigned i = 0; i < group->count; i++) {
        const struct schema_key *key = &group->keys[i];
        unsigned far = unknown_distance(key->name, name);

        if (far < *distance) {
            *distance = far;
            best = key->name;
        }
        if (key->direct) {
            const char *direct = unknown_suggest(key->group, name, distance);

            best = direct ? direct : best;
        }
    }
    return best;
}

static const char *unknown_meant(const struct schema_group *group, const char *name)
{
    unsigned distance = UNKNOWN_DISTANCE_MAX + 1;
    const char *best = unknown_suggest(group, name, &distance);

    /* Of a short name half would be another one. */
    return best && distance * 2 < strlen(name) ? best : NULL;
}

static size_t unknown_list_known(const struct schema_group *group, char *text, size_t used)
{
    for (unsigned i = 0; i < group->count && used < UNKNOWN_LIST_BYTES; i++) {
        const struct schema_key *key = &group->keys[i];

        used += (size_t)snprintf(text + used, UNKNOWN_LIST_BYTES - used, "%s%s", used ? ", " : "",
                                 key->name);
        if (key->direct && used < UNKNOWN_LIST_BYTES)
            used = unknown_list_known(key->group, text, used);
    }
    return used;
}

void unknown_report(struct locate *locate, const struct schema_group *group, int node,
                    const char *path)
{
    int key = LOCATE_NONE;

    for (unsigned i = 0; (key = locate_key_at(locate, node, i)) != LOCATE_NONE; i++) {
        const char *name = locate_text(locate, key);
        char known[UNKNOWN_LIST_BYTES] = "";
        const char *better = NULL;

        if (!name || unknown_find(group, name))
            continue;
        better = unknown_meant(group, name);
        unknown_list_known(group, known, 0);
        (void)locate_fail(locate, key, "unknown key \"%.40s\" (%s%s%.40s); %s%s%swrite one of %s",
                          name, path, path[0] ? "." : "", name, better ? "did you mean " : "",
                          better ? better : "", better ? "? Else " : "", known);
    }
}

bool unknown_means(struct locate *locate, const struct schema_group *group, int node,
                   const char *name)
{
    int key = LOCATE_NONE;

    for (unsigned i = 0; (key = locate_key_at(locate, node, i)) != LOCATE_NONE; i++) {
        const char *written = locate_text(locate, key);
        const char *better = NULL;

        if (!written || unknown_find(group, written))
            continue;
        better = unknown_meant(group, written);
        if (better && strcmp(better, name) == 0)
            return true;
    }
    return false;
}
