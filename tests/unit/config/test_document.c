/* Loads the example of docs/configuration.md and holds the document against the schema. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "platform/config/schema.h"
#include "platform/config/values.h"
#include "sample.h"

static char document[256 * 1024];

static int read_document(const char *path)
{
    FILE *file = fopen(path, "re");
    size_t size = 0;

    if (!file)
        return -1;
    size = fread(document, 1, sizeof(document) - 1, file);
    document[size] = '\0';
    fclose(file);
    return size > 0 && size < sizeof(document) - 1 ? 0 : -1;
}

static void the_example_loads(void **state)
{
    static const char fence[] = "```yaml\n";
    const char *start = strstr(document, fence);
    const char *end = NULL;
    struct config *config = NULL;
    struct config_error error;

    (void)state;
    assert_non_null(start);
    start += strlen(fence);
    end = strstr(start, "```");
    assert_non_null(end);
    if (sample_load(start, (size_t)(end - start), &config, &error) != STATUS_OK)
        fail_msg("%s", error.text);
    assert_true(config->port_count > 0 && config->customer_count > 0);
    config_free(config);
}

/* What the document has to say about a key, as its table's last columns. */
static void limits_of(const struct schema_key *key, char *limits, size_t size)
{
    size_t used = 0;

    limits[0] = '\0';
    switch (key->type) {
    case SCHEMA_SIZE:
    case SCHEMA_TIME:
    case SCHEMA_COUNT:
    case SCHEMA_COUNT_OR_AUTO:
    case SCHEMA_TCP_PORT:
    case SCHEMA_LIST:
        values_range_text(key, limits, size);
        break;
    case SCHEMA_CHOICE:
        for (const struct schema_choice *choice = key->choices; choice->name; choice++)
            used += (size_t)snprintf(limits + used, size - used, "%s`%s`", used ? ", " : "",
                                     choice->name);
        break;
    case SCHEMA_CPUS:
        snprintf(limits, size, key->max == 1 ? "one cpu" : "%u cpus", (unsigned)key->max);
        break;
    case SCHEMA_PATH:
        snprintf(limits, size, "absolute path, %u bytes", key->size - 1);
        break;
    case SCHEMA_USER:
    case SCHEMA_NAMESPACE:
        snprintf(limits, size, "%u characters", key->size - 1);
        break;
    case SCHEMA_INTERFACE:
    case SCHEMA_LABEL:
        snprintf(limits, size, "1 to %u characters", key->size - 1);
        break;
    default:
        break;
    }
}

struct table {
    const char *start; /* behind the heading */
    const char *end;
};

static struct table table_of(const char *heading)
{
    char title[64];
    struct table table = {0};

    snprintf(title, sizeof(title), "\n## %s\n", heading);
    table.start = strstr(document, title);
    if (!table.start) {
        fail_msg("no heading \"%s\"", heading);
        return table;
    }
    table.start += strlen(title) - 1;
    table.end = strstr(table.start, "\n## ");
    if (!table.end)
        table.end = document + strlen(document);
    return table;
}

/* The cell `index` of a row, without the blanks around it; *length 0 when there is none. */
static const char *cell(const char *row, unsigned index, size_t *length)
{
    const char *at = row;

    *length = 0;
    for (unsigned i = 0; i <= index; i++) {
        at = strchr(at, '|');
        if (!at++)
            return row;
    }
    at += *at == ' ';
    *length = strcspn(at, "|\n");
    if (*length > 0 && at[*length - 1] == ' ')
        --*length;
    return at;
}

static void check_row(const char *heading, const struct schema_key *key, const char *row)
{
    char expected[160];
    size_t length = 0;
    const char *text = cell(row, 2, &length);

    snprintf(expected, sizeof(expected), key->mandatory ? "mandatory" : "`%s`",
             key->fallback ? key->fallback : "");
    if ((key->fallback || key->mandatory) &&
        (length != strlen(expected) || memcmp(text, expected, length) != 0))
        fail_msg("%s: the default of %s is %s, not %.*s", heading, key->name, expected, (int)length,
                 text);
    text = cell(row, 3, &length);
    limits_of(key, expected, sizeof(expected));
    if (length < strlen(expected) || memcmp(text, expected, strlen(expected)) != 0)
        fail_msg("%s: the limits of %s are %s, not %.*s", heading, key->name, expected, (int)length,
                 text);
}

/* Each key has a row, in the order of the schema, and no row is without a key. */
static void check_group(const struct schema_group *group, const char *heading)
{
    struct table table = table_of(heading);
    const char *row = table.start;

    for (unsigned i = 0; i < group->count; i++) {
        const struct schema_key *key = &group->keys[i];
        char name[80];

        if (key->group)
            check_group(key->group, key->name);
        if (key->group && group == &schema_file)
            continue; /* a section of its own says it */
        snprintf(name, sizeof(name), "\n| `%s` |", key->name);
        row = strstr(row, "\n| `");
        if (!row || row > table.end || strncmp(row, name, strlen(name)) != 0) {
            fail_msg("%s: no row for %s where it belongs", heading, key->name);
            return;
        }
        check_row(heading, key, row++);
    }
    row = row ? strstr(row, "\n| `") : NULL;
    if (row && row < table.end)
        fail_msg("%s: a row too many: %.40s", heading, row + 1);
}

static void every_key_is_documented_as_it_is(void **state)
{
    (void)state;
    check_group(&schema_file, "Top level");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_loads),
        cmocka_unit_test(every_key_is_documented_as_it_is),
    };

    if (argc != 2 || read_document(argv[1]) != 0) {
        fprintf(stderr, "usage: test_document docs/configuration.md\n");
        return 2;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
