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

/* A row `| \`key\` | ... ` below the section's heading, with the default as the schema has it. */
static void check_section(const struct schema_section *section, const char *heading)
{
    char title[64];
    const char *start = NULL;
    const char *end = NULL;

    snprintf(title, sizeof(title), "\n## %s\n", heading);
    start = strstr(document, title);
    if (!start) {
        fail_msg("no heading \"%s\"", heading);
        return;
    }
    end = strstr(start + strlen(title), "\n## ");
    for (unsigned i = 0; i < section->count; i++) {
        const struct schema_key *key = &section->keys[i];
        char row[96];
        char *line = NULL;
        const char *at = NULL;

        snprintf(row, sizeof(row), "\n| `%s` |", key->name);
        at = strstr(start, row);
        if (!at || (end && at > end)) {
            fail_msg("%s: no row for %s", heading, key->name);
            return;
        }
        line = strndup(at + 1, strcspn(at + 1, "\n"));
        if (!line) {
            fail_msg("out of memory");
            return;
        }
        snprintf(row, sizeof(row), "| `%s` |", key->fallback ? key->fallback : "");
        if (key->fallback && !strstr(line + strlen(key->name), row))
            fail_msg("%s: default of %s is not %s: %s", heading, key->name, key->fallback, line);
        if (key->mandatory && !strstr(line, "| mandatory |"))
            fail_msg("%s: %s is mandatory: %s", heading, key->name, line);
        free(line);
    }
}

static void every_key_is_documented_with_its_default(void **state)
{
    (void)state;
    check_section(&schema_top, "Top level");
    check_section(&schema_port, "ports");
    check_section(&schema_customer, "customers");
    check_section(&schema_route, "route");
    for (unsigned i = 0; i < SCHEMA_SINGLES; i++)
        check_section(&schema_singles[i], schema_singles[i].name);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_loads),
        cmocka_unit_test(every_key_is_documented_with_its_default),
    };

    if (argc != 2 || read_document(argv[1]) != 0) {
        fprintf(stderr, "usage: test_document docs/configuration.md\n");
        return 2;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
