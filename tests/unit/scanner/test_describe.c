/* The library's description: the search for its table in artificial memory, then the program
 * itself. */
#include "signatures/scanner/describe.h"

/* cmocka.h needs these first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <clamav.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "signatures/compile/types.h"

#define LINES (DESCRIBE_LINES_MIN + 1)

struct image {
    const char *pointers[LINES + 4];
    char strings[2048];
    struct describe_range ranges[2];
};

static const char good[] = "0:0:abcd:A name:CL_TYPE_ANY:CL_TYPE_PNG";

static void make(struct image *image, unsigned lines)
{
    memset(image, 0, sizeof(*image));
    memcpy(image->strings, good, sizeof(good));
    for (unsigned i = 0; i < lines; i++)
        image->pointers[2 + i] = image->strings;
    image->pointers[0] = "elsewhere";
    image->ranges[0] =
        (struct describe_range){(const uint8_t *)image->pointers, sizeof(image->pointers), true};
    image->ranges[1] =
        (struct describe_range){(const uint8_t *)image->strings, sizeof(image->strings), false};
}

static void finds_a_closed_array_of_lines(void **state)
{
    struct image image;
    unsigned count = 0;

    (void)state;
    make(&image, LINES);
    assert_ptr_equal(describe_find(image.ranges, 2, &count), &image.pointers[2]);
    assert_int_equal(count, LINES);
    make(&image, DESCRIBE_LINES_MIN - 1);
    assert_null(describe_find(image.ranges, 2, &count));
    make(&image, LINES);
    image.pointers[50] = "in no range";
    assert_null(describe_find(image.ranges, 2, &count));
    make(&image, LINES);
    image.ranges[0].bytes = (2 + LINES) * sizeof(char *); /* not closed */
    assert_null(describe_find(image.ranges, 2, &count));
}

static void only_table_lines_count(void **state)
{
    static const char *const lines[] = {
        "0:0:abcd:A name:CL_TYPE_ANY:CL_TYPE_PNG:",
        "0:0:abcd:A name:CL_TYPE_ANY:CL_TYPE_PNG:12:13",
        "1:EOF-512:6b6f:A name:CL_TYPE_ANY:CL_TYPE_PNG::121",
        NULL,
        "x:0:abcd:A name:CL_TYPE_ANY:CL_TYPE_PNG",
        "0:0:abcd:A name:CL_TYPE_ANY",
        "0:0:abcd:A name:CL_TYPE_ANY:CL_type",
        "0:0:abcd:A name:CL_TYPE_ANY:CL_TYPE_PNG:1:2:3",
        "0:0:abcd:A name:CL_TYPE_ANY:CL_TYPE_PNG:x",
        "",
    };
    bool valid = true;

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct image image;
        unsigned count = 0;

        if (lines[i] == NULL) {
            valid = false;
            continue;
        }
        make(&image, LINES);
        (void)snprintf(image.strings + 1024, 1024, "%s", lines[i]);
        image.pointers[40] = image.strings + 1024;
        assert_int_equal(describe_find(image.ranges, 2, &count) != NULL, valid);
    }
}

static void a_string_must_end_inside_its_range(void **state)
{
    struct image image;
    unsigned count = 0;

    (void)state;
    make(&image, LINES);
    image.ranges[1].bytes = sizeof(good) - 1;
    assert_null(describe_find(image.ranges, 2, &count));
    image.ranges[1].bytes = sizeof(good);
    assert_non_null(describe_find(image.ranges, 2, &count));
}

static void the_program_prints_the_librarys_table(void **state)
{
    char command[512];
    char expected[64];
    char line[8192];
    unsigned lines = 0;
    unsigned entries = 0;
    FILE *pipe;

    (void)state;
    (void)snprintf(command, sizeof(command), "%s --describe", getenv("POSTERN_SCANNER"));
    pipe = popen(command, "r"); /* NOLINT(cert-env33-c,bugprone-command-processor) */
    assert_non_null(pipe);
    assert_non_null(fgets(line, sizeof(line), pipe));
    (void)snprintf(expected, sizeof(expected), "version %s\n", cl_retver());
    assert_string_equal(line, expected);
    assert_non_null(fgets(line, sizeof(line), pipe));
    (void)snprintf(expected, sizeof(expected), "flevel %u\n", cl_retflevel());
    assert_string_equal(line, expected);
    for (; fgets(line, sizeof(line), pipe) != NULL; lines++) {
        struct types_entry entry;

        line[strcspn(line, "\n")] = '\0';
        assert_memory_equal(line, "type ", 5);
        assert_int_not_equal(types_read(line + 5, cl_retflevel(), &entry), TYPES_BAD);
        if (strcmp(entry.type, "CL_TYPE_ZIP") == 0)
            entries++;
    }
    assert_int_equal(pclose(pipe), 0);
    assert_true(lines >= DESCRIBE_LINES_MIN);
    assert_true(entries > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_a_closed_array_of_lines),
        cmocka_unit_test(only_table_lines_count),
        cmocka_unit_test(a_string_must_end_inside_its_range),
        cmocka_unit_test(the_program_prints_the_librarys_table),
    };

    return cmocka_run_group_tests_name("describe", tests, NULL, NULL);
}
