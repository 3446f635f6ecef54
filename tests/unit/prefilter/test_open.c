/* prefilter_open(): what is damaged is refused with words, and what is opened stays inside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "platform/why.h"
#include "signatures/draft/draft.h"

static char directory[] = "/tmp/test_open.XXXXXX";
static char path[64];
static uint8_t *good; /* a whole file */
static size_t good_bytes;

static void write_bytes(const uint8_t *bytes, size_t length)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static enum status open_bytes(const uint8_t *bytes, size_t length, struct why *why)
{
    struct prefilter prefilter;
    enum status status;

    write_bytes(bytes, length);
    why_clear(why);
    status = prefilter_open(&prefilter, path, why);
    if (status == STATUS_OK)
        prefilter_close(&prefilter);
    else
        assert_true(!why_empty(why));
    return status;
}

/* The file with its SHA-256 made right again. */
static void sign(uint8_t *bytes, size_t length)
{
    struct prefilter_header *header = (struct prefilter_header *)bytes;

    header->bytes = length;
    assert_int_equal(EVP_Digest(bytes + sizeof(*header), length - sizeof(*header), header->contents,
                                NULL, EVP_sha256(), NULL),
                     1);
}

static void test_missing(void **state)
{
    struct prefilter prefilter;
    struct why why;

    (void)state;
    assert_int_equal(prefilter_open(&prefilter, "/tmp/no/such/file", &why), STATUS_NOT_FOUND);
    assert_int_equal(prefilter_open(&prefilter, "/tmp/no/such/file", NULL), STATUS_NOT_FOUND);
    assert_int_equal(prefilter_open(&prefilter, directory, &why), STATUS_BAD_FORMAT);
    prefilter_close(&prefilter); /* of one that did not open: nothing */
}

/* Every length but the right one. */
static void test_cut(void **state)
{
    struct why why;

    (void)state;
    for (size_t length = 0; length < good_bytes; length += length < 1000 ? 1 : 997)
        assert_int_equal(open_bytes(good, length, &why), STATUS_BAD_FORMAT);
    assert_int_equal(open_bytes(good, good_bytes, &why), STATUS_OK);
}

/* Any single byte that changes is noticed, but for the library's and the database's names and the
 * two counts that no check of bytes can judge. */
static void test_flipped(void **state)
{
    uint8_t *bytes = malloc(good_bytes);
    struct why why;

    (void)state;
    assert_non_null(bytes);
    for (size_t i = sizeof(struct prefilter_header); i < good_bytes; i += i < 2000 ? 1 : 1009) {
        memcpy(bytes, good, good_bytes);
        bytes[i] ^= 0x40;
        assert_int_equal(open_bytes(bytes, good_bytes, &why), STATUS_BAD_FORMAT);
        assert_non_null(strstr(why.text, "SHA-256"));
    }
    free(bytes);
}

static void expect_refused(uint8_t *bytes, const char *word)
{
    struct why why;

    sign(bytes, good_bytes);
    assert_int_equal(open_bytes(bytes, good_bytes, &why), STATUS_BAD_FORMAT);
    if (strstr(why.text, word) == NULL)
        fail_msg("'%s' does not speak of %s", why.text, word);
    memcpy(bytes, good, good_bytes);
}

/* For each number that could lead outside, wrong in a file whose SHA-256 is right. */
static struct prefilter_header *begin_numbers(void)
{
    uint8_t *bytes = malloc(good_bytes);

    assert_non_null(bytes);
    memcpy(bytes, good, good_bytes);
    return (struct prefilter_header *)bytes;
}

#define ENTRY(type, section) ((struct type *)(bytes + header->section.offset))

static void test_numbers_of_sections(void **state)
{
    struct prefilter_header *header = begin_numbers();
    struct prefilter_section *sections[] = {
        &header->leaves, &header->leaf_groups, &header->groups,  &header->signatures,
        &header->always, &header->magics,      &header->strings, &header->squeezed,
        &header->exact,  &header->names,
    };
    uint8_t *bytes = (uint8_t *)header;

    (void)state;
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        sections[i]->offset = good_bytes + 8;
        expect_refused(bytes, "section");
        sections[i]->offset = 8;
        expect_refused(bytes, "section");
        sections[i]->offset += 1;
        expect_refused(bytes, "section");
        sections[i]->offset = UINT64_MAX - 7;
        expect_refused(bytes, "section");
        sections[i]->count = good_bytes;
        expect_refused(bytes, "section");
        sections[i]->count = UINT64_MAX / 8;
        expect_refused(bytes, "section");
    }
    free(header);
}

static void test_numbers_of_the_header(void **state)
{
    struct prefilter_header *header = begin_numbers();
    uint8_t *bytes = (uint8_t *)header;

    (void)state;
    header->magic++;
    expect_refused(bytes, "no prefilter");
    header->format++;
    expect_refused(bytes, "format");
    header->profile++;
    expect_refused(bytes, "settings");
    memset(header->library, 'x', sizeof(header->library));
    expect_refused(bytes, "version");
    header->weak_count = 100;
    expect_refused(bytes, "weak");
    header->weak_count = 1;
    expect_refused(bytes, "bit");
    free(header);
}

static void test_numbers_of_groups(void **state)
{
    struct prefilter_header *header = begin_numbers();
    uint8_t *bytes = (uint8_t *)header;

    (void)state;
    ENTRY(prefilter_leaf, leaves)[0].first_group = 100;
    expect_refused(bytes, "leaf's groups");
    ENTRY(prefilter_leaf, leaves)[1].group_count = UINT32_MAX;
    expect_refused(bytes, "leaf's groups");
    ENTRY(prefilter_leaf, leaves)[1].domains = 64;
    expect_refused(bytes, "domains");
    ENTRY(prefilter_leaf, leaves)[2].weak = 2;
    expect_refused(bytes, "bit");
    *(uint32_t *)(bytes + header->leaf_groups.offset) = 100;
    expect_refused(bytes, "group that is not there");
    ENTRY(prefilter_group, groups)[0].signature = 100;
    expect_refused(bytes, "signature is not there");
    ENTRY(prefilter_group, groups)[0].domains = 0;
    expect_refused(bytes, "domains");
    ENTRY(prefilter_group, groups)[0].leaf_count = 6;
    expect_refused(bytes, "leaves");
    ENTRY(prefilter_group, groups)[0].leaf_count = 0;
    expect_refused(bytes, "leaves");
    ENTRY(prefilter_group, groups)[0].leaves[0] = 100;
    expect_refused(bytes, "leaf is not there");
    ENTRY(prefilter_group, groups)[0].leaves[0] = 2;
    expect_refused(bytes, "without a bit");
    ENTRY(prefilter_signature, signatures)[0].name = UINT32_MAX;
    expect_refused(bytes, "name");
    ENTRY(prefilter_signature, signatures)[0].kind = 3;
    expect_refused(bytes, "kind");
    ENTRY(prefilter_always, always)[0].signature = 100;
    expect_refused(bytes, "without a formula");
    ENTRY(prefilter_always, always)[0].domains = 32;
    expect_refused(bytes, "without a formula");
    free(header);
}

static void test_numbers_of_magics(void **state)
{
    struct prefilter_header *header = begin_numbers();
    uint8_t *bytes = (uint8_t *)header;

    (void)state;
    ENTRY(prefilter_magic, magics)[0].offset = UINT32_MAX;
    expect_refused(bytes, "too far");
    ENTRY(prefilter_magic, magics)[0].length = 0;
    expect_refused(bytes, "empty");
    ENTRY(prefilter_magic, magics)[0].length = PREFILTER_MAGIC_MAX + 1;
    expect_refused(bytes, "too long");
    ENTRY(prefilter_magic, magics)[0].kind = 3;
    expect_refused(bytes, "kind");
    ENTRY(prefilter_magic, magics)[0].watch = 128;
    expect_refused(bytes, "domain");
    ENTRY(prefilter_magic, magics)[0].magic = (uint32_t)header->strings.count - 2;
    expect_refused(bytes, "magic's bytes");
    ENTRY(prefilter_magic, magics)[0].mask = UINT32_MAX;
    expect_refused(bytes, "magic's bytes");
    ENTRY(prefilter_magic, magics)[0].type = (uint32_t)header->strings.count;
    expect_refused(bytes, "magic's bytes");
    ENTRY(prefilter_magic, magics)[0].class = 6;
    expect_refused(bytes, "class");
    bytes[header->strings.offset + header->strings.count - 1] = 'x';
    expect_refused(bytes, "strings");
    free(header);
}

static void test_numbers_of_hashes_and_databases(void **state)
{
    struct prefilter_header *header = begin_numbers();
    uint8_t *bytes = (uint8_t *)header;

    (void)state;
    header->hashes[PREFILTER_MD5].slot_count = 3;
    expect_refused(bytes, "hash");
    header->hashes[PREFILTER_MD5].slot_count = UINT64_C(1) << 60;
    expect_refused(bytes, "hash");
    header->hashes[PREFILTER_MD5].slots = good_bytes;
    expect_refused(bytes, "hash");
    header->hashes[PREFILTER_MD5].sizes = good_bytes - 64;
    expect_refused(bytes, "sizes");
    header->hashes[PREFILTER_MD5].count = 16;
    expect_refused(bytes, "full");
    bytes[header->squeezed.offset]++;
    expect_refused(bytes, "database");
    bytes[header->squeezed.offset + 4]++; /* the version of Hyperscan */
    expect_refused(bytes, "version of Hyperscan");
    header->names = header->squeezed;
    expect_refused(bytes, "mode");
    header->squeezed = header->names;
    expect_refused(bytes, "mode");
    free(header);
}

static void add_signature(struct draft *draft, enum prefilter_kind kind, uint32_t *id)
{
    assert_int_equal(draft_add_signature(draft, "Name", kind, id), STATUS_OK);
}

/* One of everything. */
static void make_good(void)
{
    static const uint8_t digest[32] = {7};
    struct draft draft = {0};
    struct draft_identity identity = {.library = "1.4.6"};
    struct draft_leaf pair[2] = {{.length = 5, .squeezed = true, .bytes = "first"},
                                 {.length = 6, .squeezed = true, .bytes = "second"}};
    struct draft_leaf alone = {.length = 5, .bytes = "alone"};
    bool widened = false;
    struct why why;
    FILE *file;
    uint32_t id;

    add_signature(&draft, PREFILTER_SIGNATURE, &id);
    assert_int_equal(draft_add_group(&draft, id, PREFILTER_TEXT, pair, 2), STATUS_OK);
    assert_int_equal(draft_add_group(&draft, id, PREFILTER_BINARY, &alone, 1), STATUS_OK);
    add_signature(&draft, PREFILTER_TYPE, &id);
    assert_int_equal(draft_add_always(&draft, id, PREFILTER_IMAGE), STATUS_OK);
    add_signature(&draft, PREFILTER_SIGNATURE, &id);
    assert_int_equal(draft_add_name_rule(&draft, id, "x$", &widened), STATUS_OK);
    assert_int_equal(draft_add_magic(&draft, &(struct prefilter_magic){.length = 4, .watch = 96},
                                     (const uint8_t *)"%PDF", (const uint8_t *)"\xff\xff\xff\xff",
                                     "CL_TYPE_PDF"),
                     STATUS_OK);
    assert_int_equal(draft_add_hash(&draft, PREFILTER_MD5, digest, false, 9), STATUS_OK);
    assert_int_equal(draft_compile(&draft, &why), STATUS_OK);
    assert_int_equal(draft_write(&draft, &identity, path, &why), STATUS_OK);
    draft_free(&draft);
    file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    good_bytes = (size_t)ftell(file);
    rewind(file);
    good = malloc(good_bytes);
    assert_non_null(good);
    assert_int_equal(fread(good, 1, good_bytes, file), good_bytes);
    assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/prefilter", directory);
    make_good();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(good);
    return unlink(path) != 0 || rmdir(directory) != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_flipped),
        cmocka_unit_test(test_numbers_of_sections),
        cmocka_unit_test(test_numbers_of_the_header),
        cmocka_unit_test(test_numbers_of_groups),
        cmocka_unit_test(test_numbers_of_magics),
        cmocka_unit_test(test_numbers_of_hashes_and_databases),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
