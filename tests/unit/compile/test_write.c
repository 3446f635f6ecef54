/* A draft, written, is what an opened file says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <hs/hs.h>

#include "platform/why.h"
#include "signatures/draft/draft.h"
#include "tests/unit/compile/search.h"

static char directory[] = "/tmp/test_write.XXXXXX";
static char path[64];

static struct draft_leaf leaf(const char *bytes, size_t length, bool squeezed, bool caseless)
{
    struct draft_leaf made = {
        .length = (uint8_t)length, .squeezed = squeezed, .caseless = caseless};

    memcpy(made.bytes, bytes, length);
    return made;
}

static void open_written(struct draft *draft, struct prefilter *prefilter)
{
    struct draft_identity identity = {.library = "1.4.6", .database = {1, 2, 3}};
    struct why why = {""};

    assert_int_equal(draft_compile(draft, &why), STATUS_OK);
    assert_int_equal(draft_write(draft, &identity, path, &why), STATUS_OK);
    if (prefilter_open(prefilter, path, &why) != STATUS_OK)
        fail_msg("%s", why.text);
}

static void test_empty(void **state)
{
    struct draft draft = {0};
    struct prefilter prefilter;
    const uint8_t digest[32] = {1};

    (void)state;
    open_written(&draft, &prefilter);
    assert_string_equal(prefilter.header->library, "1.4.6");
    assert_int_equal(prefilter.header->database[2], 3);
    assert_int_equal(prefilter.header->leaves.count, 0);
    assert_null(prefilter.squeezed);
    assert_null(prefilter.exact);
    assert_null(prefilter.names);
    assert_false(prefilter_size_listed(&prefilter, PREFILTER_MD5, 5));
    assert_false(prefilter_hash_listed(&prefilter, PREFILTER_MD5, digest));
    prefilter_close(&prefilter);
    draft_free(&draft);
}

/* One signature of one leaf, one of two, one exact and caseless with a NUL, one "always". */
static void test_search(void **state)
{
    struct draft draft = {0};
    struct prefilter prefilter;
    struct searcher *searcher;
    struct draft_leaf pair[2] = {leaf("first", 5, true, false), leaf("second", 6, true, false)};
    struct draft_leaf alone = leaf("eicar", 5, true, false);
    struct draft_leaf exact = leaf("ab\0cd", 5, false, true);
    uint32_t ids[4];

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        char name[16];

        snprintf(name, sizeof(name), "Name.%u", i);
        assert_int_equal(draft_add_signature(&draft, name, PREFILTER_SIGNATURE, &ids[i]),
                         STATUS_OK);
    }
    assert_int_equal(draft_add_group(&draft, ids[0], PREFILTER_TEXT, &alone, 1), STATUS_OK);
    assert_int_equal(draft_add_group(&draft, ids[1], PREFILTER_TEXT | PREFILTER_RAW, pair, 2),
                     STATUS_OK);
    assert_int_equal(draft_add_group(&draft, ids[2], PREFILTER_BINARY, &exact, 1), STATUS_OK);
    assert_int_equal(draft_add_always(&draft, ids[3], PREFILTER_IMAGE), STATUS_OK);
    open_written(&draft, &prefilter);
    assert_string_equal(prefilter_name(&prefilter, ids[2]), "Name.2");
    assert_int_equal(prefilter.header->weak_count, 2);
    assert_int_equal(prefilter.header->leaves.count, 4);

    searcher = searcher_create(&prefilter);
    searcher_buffer(searcher, PREFILTER_TEXT, (const uint8_t *)"an E I\nCar", 10);
    assert_true(searcher_fires(searcher, ids[0]));
    assert_false(searcher_fires(searcher, ids[1]));
    searcher_reset(searcher);
    searcher_buffer(searcher, PREFILTER_RAW, (const uint8_t *)"eicar", 5);
    assert_false(searcher_fires(searcher, ids[0])); /* of text parts only */
    searcher_reset(searcher);
    searcher_buffer(searcher, PREFILTER_TEXT, (const uint8_t *)"SECOND", 6);
    assert_false(searcher_fires(searcher, ids[1]));
    searcher_buffer(searcher, PREFILTER_TEXT, (const uint8_t *)"the first", 9);
    assert_true(searcher_fires(searcher, ids[1]));
    searcher_reset(searcher);
    searcher_buffer(searcher, PREFILTER_BINARY, (const uint8_t *)"..aB\0Cd", 7);
    assert_true(searcher_fires(searcher, ids[2]));
    assert_false(searcher_fires(searcher, ids[3]));
    searcher_buffer(searcher, PREFILTER_IMAGE, (const uint8_t *)"x", 1);
    assert_true(searcher_fires(searcher, ids[3]));
    searcher_destroy(searcher);
    prefilter_close(&prefilter);
    draft_free(&draft);
}

/* Equal leaves are one leaf, of several groups; equal leaves in one group count once. */
static void test_shared_leaves(void **state)
{
    struct draft draft = {0};
    struct prefilter prefilter;
    struct draft_leaf same[2] = {leaf("same", 4, true, false), leaf("same", 4, true, false)};
    struct draft_leaf other = leaf("same", 4, false, false);
    uint32_t id;

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(draft_add_signature(&draft, "N", PREFILTER_SIGNATURE, &id), STATUS_OK);
        assert_int_equal(draft_add_group(&draft, id, PREFILTER_TEXT << (i % 2), same, 2),
                         STATUS_OK);
    }
    assert_int_equal(draft_add_group(&draft, id, PREFILTER_BINARY, &other, 1), STATUS_OK);
    open_written(&draft, &prefilter);
    assert_int_equal(prefilter.header->leaves.count, 2);
    assert_int_equal(prefilter.header->weak_count, 0);
    assert_int_equal(prefilter.leaves[0].group_count, 3);
    assert_int_equal(prefilter.leaves[0].domains, PREFILTER_TEXT | PREFILTER_HTML);
    assert_int_equal(prefilter.leaves[1].domains, PREFILTER_BINARY);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(prefilter.leaf_groups[prefilter.leaves[0].first_group + i], i);
    prefilter_close(&prefilter);
    draft_free(&draft);
}

/* More weak leaves than there are bits: some groups are left with one leaf, none is lost. */
static void test_bits_run_out(void **state)
{
    struct draft draft = {0};
    struct prefilter prefilter;
    unsigned pairs = PREFILTER_WEAK_MAX / 2 + 100, short_ones = 0;

    (void)state;
    for (unsigned i = 0; i < pairs; i++) {
        char first[16], second[16];
        struct draft_leaf pair[2];
        uint32_t id;

        snprintf(first, sizeof(first), "a%06u", i);
        snprintf(second, sizeof(second), "longer%06u", i);
        pair[0] = leaf(first, 7, true, false);
        pair[1] = leaf(second, 12, true, false);
        assert_int_equal(draft_add_signature(&draft, "N", PREFILTER_SIGNATURE, &id), STATUS_OK);
        assert_int_equal(draft_add_group(&draft, id, PREFILTER_TEXT, pair, 2), STATUS_OK);
    }
    open_written(&draft, &prefilter);
    assert_int_equal(prefilter.header->groups.count, pairs);
    assert_int_equal(prefilter.header->weak_count, PREFILTER_WEAK_MAX);
    for (unsigned i = 0; i < pairs; i++) {
        short_ones += prefilter.groups[i].leaf_count == 1;
        if (prefilter.groups[i].leaf_count == 1)
            assert_int_equal(draft.leaves[prefilter.groups[i].leaves[0]].length, 12);
    }
    assert_int_equal(short_ones, 100);
    prefilter_close(&prefilter);
    draft_free(&draft);
}

static int name_hit(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
                    void *context)
{
    (void)from, (void)to, (void)flags;
    *(uint64_t *)context |= UINT64_C(1) << id;
    return 0;
}

static uint64_t names_of(const struct prefilter *prefilter, const char *name)
{
    hs_scratch_t *scratch = NULL;
    uint64_t hits = 0;

    assert_int_equal(hs_alloc_scratch(prefilter->names, &scratch), HS_SUCCESS);
    assert_int_equal(
        hs_scan(prefilter->names, name, (unsigned)strlen(name), 0, scratch, name_hit, &hits),
        HS_SUCCESS);
    (void)hs_free_scratch(scratch);
    return hits;
}

/* POSIX and Hyperscan read a backslash in brackets, and before a letter, in different ways. */
static void test_names(void **state)
{
    static const char *const patterns[] = {
        "^invoice.*\\.exe$", NULL,      "[\\]d]x", "a\\d", "(?bad",
        "^[[:alpha:]]+$",    "[]a]{2}", "x\\<y"};
    struct draft draft = {0};
    struct prefilter prefilter;
    bool widened = false;
    uint32_t id;

    (void)state;
    for (unsigned i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        bool now = false;

        assert_int_equal(draft_add_signature(&draft, "N", PREFILTER_SIGNATURE, &id), STATUS_OK);
        assert_int_equal(draft_add_name_rule(&draft, id, patterns[i], &now), STATUS_OK);
        assert_int_equal(now, i == 4 || i == 5 || i == 7);
        widened = widened || now;
    }
    assert_true(widened);
    open_written(&draft, &prefilter);
    assert_int_equal(names_of(&prefilter, "zz"), 0xb2);
    assert_int_equal(names_of(&prefilter, "INVOICE 1.exe"), 0xb2 | 1);
    assert_int_equal(names_of(&prefilter, "\\d]x"), 0xb2 | 4); /* "\" is in the set, "d" follows */
    assert_int_equal(names_of(&prefilter, "1ad"), 0xb2 | 8);
    assert_int_equal(names_of(&prefilter, "]a"), 0xb2 | 0x40);
    prefilter_close(&prefilter);
    draft_free(&draft);
}

static void test_magics(void **state)
{
    struct draft draft = {0};
    struct prefilter prefilter;

    struct prefilter_magic first = {.offset = 4, .length = 3, .last = 9, .watch = 17, .kind = 1};
    struct prefilter_magic second = {.length = 4, .class = PREFILTER_CLASS_ESCALATE};

    (void)state;
    assert_int_equal(draft_add_magic(&draft, &first, (const uint8_t *)"a\0b",
                                     (const uint8_t *)"\xff\0\xff", "CL_TYPE_X"),
                     STATUS_OK);
    assert_int_equal(draft_add_magic(&draft, &second, (const uint8_t *)"%PDF",
                                     (const uint8_t *)"\xff\xff\xff\xff", "CL_TYPE_PDF"),
                     STATUS_OK);
    open_written(&draft, &prefilter);
    assert_int_equal(prefilter.header->magics.count, 2);
    assert_int_equal(prefilter.magics[0].last, 9);
    assert_memory_equal(prefilter.strings + prefilter.magics[0].mask, "\xff\0\xff", 3);
    assert_memory_equal(prefilter.strings + prefilter.magics[1].magic, "%PDF", 4);
    assert_memory_equal(prefilter.strings + prefilter.magics[1].mask, "\xff\xff\xff\xff", 4);
    assert_string_equal(prefilter.strings + prefilter.magics[1].type, "CL_TYPE_PDF");
    prefilter_close(&prefilter);
    draft_free(&draft);
}

/* A file that cannot be written leaves nothing behind, and the old one as it was. */
static void test_failure(void **state)
{
    struct draft draft = {0};
    struct draft_identity identity = {.library = "1.4.6"};
    struct why why = {""};

    (void)state;
    assert_int_equal(draft_compile(&draft, &why), STATUS_OK);
    assert_int_equal(draft_write(&draft, &identity, "/proc/none/file", &why), STATUS_SYSTEM);
    assert_non_null(strstr(why.text, "/proc/none/file"));
    assert_int_equal(draft_write(&draft, &identity, directory, &why), STATUS_SYSTEM);
    assert_non_null(strstr(why.text, "rename"));
    draft_free(&draft);
}

static int setup(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/prefilter", directory);
    return 0;
}

/* Nothing but the one file is left. */
static int teardown(void **state)
{
    (void)state;
    return unlink(path) != 0 || rmdir(directory) != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),         cmocka_unit_test(test_search),
        cmocka_unit_test(test_shared_leaves), cmocka_unit_test(test_bits_run_out),
        cmocka_unit_test(test_names),         cmocka_unit_test(test_magics),
        cmocka_unit_test(test_failure),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
