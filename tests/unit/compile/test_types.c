/* Lines of a file-type table: what becomes of each, and why. */
#include "signatures/compile/types.h"

/* cmocka.h needs these first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define FLEVEL 200u
#define ANY    UINT32_MAX
#define PARTS  (PREFILTER_RAW | PREFILTER_TEXT | PREFILTER_IMAGE | PREFILTER_BINARY)

static void read_line(const char *line, enum types_answer answer, struct types_entry *entry)
{
    assert_int_equal(types_read(line, FLEVEL, entry), answer);
    assert_true(entry->reason[0] != '\0');
}

static void flevels_are_honoured(void **state)
{
    struct types_entry entry;

    (void)state;
    read_line("0:0:aabb:n:CL_TYPE_ANY:CL_TYPE_ZIP:200", TYPES_ENTRY, &entry);
    read_line("0:0:aabb:n:CL_TYPE_ANY:CL_TYPE_ZIP:201", TYPES_NOTHING, &entry);
    read_line("0:0:aabb:n:CL_TYPE_ANY:CL_TYPE_ZIP:1:200", TYPES_ENTRY, &entry);
    read_line("0:0:aabb:n:CL_TYPE_ANY:CL_TYPE_ZIP:1:199", TYPES_NOTHING, &entry);
    read_line("0:0:aabb:n:CL_TYPE_ANY:CL_TYPE_ZIP::199", TYPES_NOTHING, &entry);
    read_line("0:0:aabb:n:CL_TYPE_ANY:CL_TYPE_ZIP::", TYPES_NOTHING, &entry); /* up to 0 */
}

static void what_libclamav_refuses_is_bad(void **state)
{
    static const char *const lines[] = {
        "",
        "0:0:aabb:n:CL_TYPE_ANY",
        "0:0:aabb:n:CL_TYPE_ANY:CL_TYPE_ZIP:1:2:3",
        "0:0:aabb:n:CL_TYPE_ANY:CL_TYPE_ZIP:x",
        "0:0:aabb:n:CL_TYPE_ANY:ZIP",
        "x:0:aabb:n:CL_TYPE_ANY:CL_TYPE_ZIP",
        "0:x:aabb:n:CL_TYPE_ANY:CL_TYPE_ZIP",
        "0:0:aab:n:CL_TYPE_ANY:CL_TYPE_ZIP",
        "0:0:aa??:n:CL_TYPE_ANY:CL_TYPE_ZIP",
        "1:*:aa(bb:n:CL_TYPE_ANY:CL_TYPE_ZIP",
        "1:*:aa{3:n:CL_TYPE_ANY:CL_TYPE_ZIP",
        "1:*:aa!(bb:n:CL_TYPE_ANY:CL_TYPE_ZIP",
        "1:*:zz:n:CL_TYPE_ANY:CL_TYPE_ZIP",
        "1:*::n:CL_TYPE_ANY:CL_TYPE_ZIP",
    };
    struct types_entry entry;

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        read_line(lines[i], TYPES_BAD, &entry);
    read_line("#0:0:aab:n", TYPES_NOTHING, &entry);
    read_line("4:1024:aabb:n:CL_TYPE_PART_ANY:CL_TYPE_PART_HFSPLUS", TYPES_NOTHING, &entry);
    read_line("7:0:aabb:n:CL_TYPE_ANY:CL_TYPE_ZIP", TYPES_NOTHING, &entry);
}

static void classes_follow_the_types(void **state)
{
    static const struct {
        const char *line;
        enum prefilter_type_class class;
    } cases[] = {
        {"0:0:aabb:n:CL_TYPE_ANY:CL_TYPE_BINARY_DATA", PREFILTER_CLASS_BINARY},
        {"0:0:aabb:n:CL_TYPE_ANY:CL_TYPE_TEXT_ASCII", PREFILTER_CLASS_TEXT},
        {"0:0:aabb:n:CL_TYPE_ANY:CL_TYPE_HTML", PREFILTER_CLASS_HTML},
        {"0:0:aabb:n:CL_TYPE_ANY:CL_TYPE_JPEG", PREFILTER_CLASS_IMAGE},
        {"0:0:aabb:n:CL_TYPE_ANY:CL_TYPE_IGNORED", PREFILTER_CLASS_IGNORED},
        {"0:0:aabb:n:CL_TYPE_ANY:CL_TYPE_ANY", PREFILTER_CLASS_ESCALATE},
        {"0:0:aabb:n:CL_TYPE_ANY:CL_TYPE_NEWER", PREFILTER_CLASS_ESCALATE},
        {"1:*:aabb:n:CL_TYPE_ANY:CL_TYPE_JPEG", PREFILTER_CLASS_ESCALATE},
        {"1:*:aabb:n:CL_TYPE_ANY:CL_TYPE_HTML", PREFILTER_CLASS_HTML},
        {"1:*:aabb*(68|48):n:CL_TYPE_ANY:CL_TYPE_HTML", PREFILTER_CLASS_HTML},
        /* Not surely what libclamav's pattern is. */
        {"1:*:aabb(35|36):n:CL_TYPE_ANY:CL_TYPE_HTML", PREFILTER_CLASS_ESCALATE},
        {"1:*:aabb(3535|3636):n:CL_TYPE_ANY:CL_TYPE_HTML", PREFILTER_CLASS_ESCALATE},
        {"1:*:aabb{1-3}cc:n:CL_TYPE_ANY:CL_TYPE_HTML", PREFILTER_CLASS_ESCALATE},
        {"1:*:aabb!(35)cc:n:CL_TYPE_ANY:CL_TYPE_HTML", PREFILTER_CLASS_ESCALATE},
        {"1:*:aabb:n:CL_TYPE_TEXT_ASCII:CL_TYPE_HTML", PREFILTER_CLASS_ESCALATE},
    };
    struct types_entry entry;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        read_line(cases[i].line, TYPES_ENTRY, &entry);
        assert_int_equal(entry.magic.class, cases[i].class);
    }
}

static void patterns_become_values_masks_and_gaps(void **state)
{
    static const uint8_t values[] = {0x41, 0x40, 0x01, 0, 0, 0, PREFILTER_MAGIC_GAP, 0x48, 0x30};
    static const uint8_t masks[] = {0xff, 0xf0, 0x0f, 0, 0, 0, 0, 0xdf, 0xf8};
    struct types_entry entry;

    (void)state;
    read_line("1:5:414??1??{2}*(68|48)(30|31|37):n:CL_TYPE_ANY:CL_TYPE_PDF", TYPES_ENTRY, &entry);
    assert_int_equal(entry.magic.length, sizeof(values));
    assert_memory_equal(entry.magic_bytes, values, sizeof(values));
    assert_memory_equal(entry.mask_bytes, masks, sizeof(masks));
    assert_int_equal(entry.magic.kind, PREFILTER_MAGIC_PATTERN);
    read_line("1:*:aa{33}bb:n:CL_TYPE_ANY:CL_TYPE_PDF", TYPES_ENTRY, &entry);
    assert_int_equal(entry.magic.length, 3); /* a long distance is any */
}

static void offsets_are_ranges(void **state)
{
    static const struct {
        const char *line;
        enum prefilter_magic_kind kind;
        uint32_t offset;
        uint32_t last;
    } cases[] = {
        {"0:257:aabb:n:CL_TYPE_ANY:CL_TYPE_ZIP", PREFILTER_MAGIC_FIXED, 257, 257},
        {"1:*:aabb:n:CL_TYPE_ANY:CL_TYPE_ZIP", PREFILTER_MAGIC_PATTERN, 0, ANY},
        {"1:0:aabb:n:CL_TYPE_ANY:CL_TYPE_ZIP", PREFILTER_MAGIC_PATTERN, 0, 0},
        {"1:8,12:aabb:n:CL_TYPE_ANY:CL_TYPE_ZIP", PREFILTER_MAGIC_PATTERN, 8, 20},
        {"1:EOF-512:aabb:n:CL_TYPE_ANY:CL_TYPE_ZIP", PREFILTER_MAGIC_END, 512, 512},
        {"1:EOF-513:aabb:n:CL_TYPE_ANY:CL_TYPE_ZIP", PREFILTER_MAGIC_PATTERN, 0, ANY},
        {"1:EOF-1:aabb:n:CL_TYPE_ANY:CL_TYPE_ZIP", PREFILTER_MAGIC_PATTERN, 0, ANY},
        {"1:EOF-9:aa*bb:n:CL_TYPE_ANY:CL_TYPE_ZIP", PREFILTER_MAGIC_PATTERN, 0, ANY},
        {"1:EP+0:aabb:n:CL_TYPE_ANY:CL_TYPE_ZIP", PREFILTER_MAGIC_PATTERN, 0, ANY},
        {"1:1,4294967295:aabb:n:CL_TYPE_ANY:CL_TYPE_ZIP", PREFILTER_MAGIC_PATTERN, 0, ANY},
    };
    struct types_entry entry;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        read_line(cases[i].line, TYPES_ENTRY, &entry);
        assert_int_equal(entry.magic.kind, cases[i].kind);
        assert_int_equal(entry.magic.offset, cases[i].offset);
        assert_int_equal(entry.magic.last, cases[i].last);
    }
}

static void who_looks_for_it_where(void **state)
{
    static const struct {
        const char *line;
        uint32_t watch;
        uint32_t group;
    } cases[] = {
        {"1:*:01024142:n:CL_TYPE_ANY:CL_TYPE_ZIPSFX", 0, PARTS},
        {"1:*:010241:n:CL_TYPE_ANY:CL_TYPE_ZIPSFX", PARTS, 0}, /* too short */
        {"1:*:0102{4}4142:n:CL_TYPE_ANY:CL_TYPE_ZIPSFX", PARTS, 0},
        {"1:*:01204142:n:CL_TYPE_ANY:CL_TYPE_ZIPSFX", PARTS, 0},      /* white space */
        {"1:*:4142434445464748:n:CL_TYPE_ANY:CL_TYPE_DMG", PARTS, 0}, /* ordinary text */
        {"1:EOF-512:01024142:n:CL_TYPE_ANY:CL_TYPE_DMG", PARTS, 0},
        {"1:0:01024142:n:CL_TYPE_ANY:CL_TYPE_ZIPSFX", 0, 0}, /* not acted upon at offset 0 */
        {"1:*:41424344:n:CL_TYPE_ANY:CL_TYPE_MHTML", PREFILTER_TEXT | PREFILTER_BINARY, 0},
        {"1:0:41424344:n:CL_TYPE_ANY:CL_TYPE_MAIL", PREFILTER_WATCH_ASCII, 0},
        {"1:*:41424344:n:CL_TYPE_ANY:CL_TYPE_HTML", PREFILTER_WATCH_ASCII | PREFILTER_WATCH_GIF, 0},
        {"1:*:01024344:n:CL_TYPE_ANY:CL_TYPE_HTML", 0, PREFILTER_TEXT | PREFILTER_IMAGE},
        {"1:*:01024344:n:CL_TYPE_ANY:CL_TYPE_AUTOIT", 0, 0},
        {"1:*:01024344:n:CL_TYPE_ANY:CL_TYPE_PDF", 0, 0},
        {"1:*:01024344:n:CL_TYPE_ANY:CL_TYPE_NEWER", 0, PARTS},
        {"1:0:01024344:n:CL_TYPE_ANY:CL_TYPE_NEWER", 0, PARTS},
        {"0:0:01024344:n:CL_TYPE_ANY:CL_TYPE_ZIPSFX", 0, 0},
    };
    struct types_entry entry;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        read_line(cases[i].line, TYPES_ENTRY, &entry);
        assert_int_equal(entry.magic.watch, cases[i].watch);
        assert_int_equal(entry.group_domains, cases[i].group);
    }
}

static void groups_need_the_odd_runs(void **state)
{
    struct expression_arena *arena = expression_arena_create();
    const struct expression *expression;
    struct types_entry entry;

    (void)state;
    assert_non_null(arena);
    read_line("1:*:0144303031{2000-2400}4443303031*05060708:n:CL_TYPE_ANY:CL_TYPE_ISO9660",
              TYPES_ENTRY, &entry);
    expression = types_necessary(&entry, arena);
    assert_non_null(expression);
    assert_int_equal(expression->kind, EXPRESSION_AND);
    assert_int_equal(expression->length, 2);
    assert_int_equal(expression->children[0]->length, 5);
    assert_int_equal(expression->children[0]->bytes[0].value, 1);
    assert_int_equal(expression->children[1]->length, 4);
    assert_int_equal(expression->children[1]->bytes[3].value, 8);
    expression_arena_destroy(arena);
}

static void long_patterns_are_cut(void **state)
{
    char line[600] = "1:*:";
    struct types_entry entry;

    (void)state;
    memset(&line[4], '4', 2 * (PREFILTER_MAGIC_MAX + 10));
    (void)snprintf(&line[4 + 2 * (PREFILTER_MAGIC_MAX + 10)], 64, ":n:CL_TYPE_ANY:CL_TYPE_HTML");
    read_line(line, TYPES_ENTRY, &entry);
    assert_int_equal(entry.magic.length, PREFILTER_MAGIC_MAX);
    assert_int_equal(entry.magic.class, PREFILTER_CLASS_ESCALATE);
    line[0] = '0';
    line[2] = '0';
    read_line(line, TYPES_ENTRY, &entry);
    assert_int_equal(entry.magic.class, PREFILTER_CLASS_ESCALATE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flevels_are_honoured),
        cmocka_unit_test(what_libclamav_refuses_is_bad),
        cmocka_unit_test(classes_follow_the_types),
        cmocka_unit_test(patterns_become_values_masks_and_gaps),
        cmocka_unit_test(offsets_are_ranges),
        cmocka_unit_test(who_looks_for_it_where),
        cmocka_unit_test(groups_need_the_odd_runs),
        cmocka_unit_test(long_patterns_are_cut),
    };

    return cmocka_run_group_tests_name("types", tests, NULL, NULL);
}
