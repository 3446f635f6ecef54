/* platform/postern.yaml.5 is what the schema says; `test_config_manual FILE --write` writes it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "platform/config/manual.h"

static const char *manual_path;

static char *manual_made(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);

    assert_non_null(to);
    config_manual(to);
    assert_int_equal(fclose(to), 0);
    return text;
}

static void is_the_page(void **state)
{
    char *text = manual_made();
    size_t length = strlen(text);
    char *page = calloc(1, length + 2);
    FILE *file = fopen(manual_path, "re");

    (void)state;
    assert_non_null(page);
    assert_non_null(file);
    assert_int_equal(fread(page, 1, length + 1, file), length);
    assert_string_equal(page, text);
    assert_int_equal(fclose(file), 0);
    free(page);
    free(text);
}

/* Every line is text, or a request that there is. */
static void is_roff(void **state)
{
    static const char *const requests[] = {".\\\"", ".TH ", ".SH ", ".TP", ".B ", ".I ", ".PP"};
    char *text = manual_made();

    (void)state;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        bool known = line[0] != '.' && line[0] != '\'';

        for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
            known = known || strncmp(line, requests[i], strlen(requests[i])) == 0;
        if (!known)
            fail_msg("no request: %s", line);
    }
    free(text);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(is_the_page), cmocka_unit_test(is_roff)};

    if (argc < 2)
        return 2;
    manual_path = argv[1];
    if (argc == 3 && strcmp(argv[2], "--write") == 0) {
        FILE *file = fopen(manual_path, "we");

        if (file == NULL)
            return 1;
        config_manual(file);
        return fclose(file) == 0 ? 0 : 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
