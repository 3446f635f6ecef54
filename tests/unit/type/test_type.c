/* Types of parts: a table of a few lines, read by the compiler's own reader, against byte strings
 * whose type libclamav is known to find (tests/oracle/type compares with the library itself). */
#include "signatures/content/type/type.h"

/* cmocka.h needs these first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "signatures/compile/types.h"

#define FLEVEL  200u
#define STRINGS 16384u
#define MAGICS  64u

static const char *const table[] = {
    "0:0:504b0304:an archive:CL_TYPE_ANY:CL_TYPE_ZIP",
    "0:0:89504e47:an image:CL_TYPE_ANY:CL_TYPE_GRAPHICS::121",
    "0:0:89504e47:an image:CL_TYPE_ANY:CL_TYPE_PNG:122",
    "0:0:474946:an image:CL_TYPE_ANY:CL_TYPE_GIF:122",
    "0:0:494433:sound:CL_TYPE_ANY:CL_TYPE_IGNORED",
    "0:0:5b61:first:CL_TYPE_ANY:CL_TYPE_SCRIPT",
    "0:0:5b61:second:CL_TYPE_ANY:CL_TYPE_PNG",
    "0:4:aabb:in the middle:CL_TYPE_ANY:CL_TYPE_RTF",
    "0:0:000001b3:moving images:CL_TYPE_ANY:CL_TYPE_BINARY_DATA",
    "1:*:3c68746d6c3e:HTML:CL_TYPE_ANY:CL_TYPE_HTML",
    "1:*:3c6120*(68|48)(72|52)6566:HTML:CL_TYPE_ANY:CL_TYPE_HTML",
    "1:*:504b0304:an archive inside:CL_TYPE_ANY:CL_TYPE_ZIPSFX",
    "1:*:60ea{7}0002:another:CL_TYPE_ANY:CL_TYPE_ARJSFX",
    "1:510:55aa:a boot record:CL_TYPE_ANY:CL_TYPE_MBR",
    "1:EOF-512:6b6f6c79:a disk:CL_TYPE_ANY:CL_TYPE_DMG",
    "1:0,100:0a(46|66)726f6d3a20{-1024}0a(4d|6d)494d45:a mail:CL_TYPE_ANY:CL_TYPE_MAIL",
    "1:*:255044462d??2e:a document:CL_TYPE_ANY:CL_TYPE_PDF",
    "1:0:cafebabe0000000?:a program:CL_TYPE_ANY:CL_TYPE_MACHO_UNIBIN",
    "4:1024:482b0004:a partition:CL_TYPE_PART_ANY:CL_TYPE_PART_HFSPLUS",
};

struct rig {
    struct prefilter_header header;
    struct prefilter_magic magics[MAGICS];
    char strings[STRINGS];
    size_t used;
    struct prefilter prefilter;
    struct type_table *types;
};

static uint32_t put(struct rig *rig, const void *bytes, size_t length)
{
    size_t at = rig->used;

    assert_true(at + length <= sizeof(rig->strings));
    memcpy(&rig->strings[at], bytes, length);
    rig->used += length;
    return (uint32_t)at;
}

static void add_line(struct rig *rig, const char *line)
{
    struct types_entry entry;
    enum types_answer answer = types_read(line, FLEVEL, &entry);
    struct prefilter_magic *magic = &rig->magics[rig->header.magics.count];

    assert_int_not_equal(answer, TYPES_BAD);
    if (answer != TYPES_ENTRY)
        return;
    assert_true(rig->header.magics.count < MAGICS);
    *magic = entry.magic;
    magic->magic = put(rig, entry.magic_bytes, magic->length);
    magic->mask = put(rig, entry.mask_bytes, magic->length);
    magic->type = put(rig, entry.type, strlen(entry.type) + 1);
    rig->header.magics.count++;
}

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    assert_non_null(rig);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        add_line(rig, table[i]);
    rig->prefilter =
        (struct prefilter){.header = &rig->header, .magics = rig->magics, .strings = rig->strings};
    assert_int_equal(type_table_create(&rig->types, &rig->prefilter), STATUS_OK);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;

    type_table_destroy(rig->types);
    free(rig);
    return 0;
}

/* Without a terminating zero: these are bytes. */
static void lay(void *to, const void *bytes, size_t length)
{
    memcpy(to, bytes, length);
}

static void expect(void **state, const void *bytes, size_t length, enum prefilter_type_class class,
                   const char *name)
{
    const struct rig *rig = *state;
    size_t seen = length < TYPE_LOOK ? length : TYPE_LOOK;
    uint8_t *copy = malloc(seen); /* so that the sanitizer sees a read behind it */
    struct part_type type;

    assert_non_null(copy);
    memcpy(copy, bytes, seen);
    type = type_of(rig->types, copy, seen, seen == length);
    free(copy);
    assert_string_equal(type.name, name);
    assert_int_equal(type.class, class);
}

#define EXPECT(text, class, name) expect(state, text, sizeof(text) - 1, class, name)

static void fixed_magics_decide_first(void **state)
{
    EXPECT("PK\3\4 and so on", PREFILTER_CLASS_ESCALATE, "CL_TYPE_ZIP");
    EXPECT("\x89PNG\r\n\x1a\n", PREFILTER_CLASS_IMAGE, "CL_TYPE_PNG");
    EXPECT("GIF89a<html>", PREFILTER_CLASS_IMAGE, "CL_TYPE_GIF");
    EXPECT("ID3 of a song", PREFILTER_CLASS_IGNORED, "CL_TYPE_IGNORED");
    EXPECT("[aliases]", PREFILTER_CLASS_IMAGE, "CL_TYPE_PNG"); /* the last of the table */
    EXPECT("abcd\xaa\xbb", PREFILTER_CLASS_ESCALATE, "CL_TYPE_RTF");
    EXPECT("abcd\xaa", PREFILTER_CLASS_IGNORED, "CL_TYPE_IGNORED"); /* 5 bytes */
    EXPECT("abcde\xaa", PREFILTER_CLASS_TEXT, "CL_TYPE_TEXT_ASCII");
}

static void text_is_told_from_data(void **state)
{
    EXPECT("plain text\r\n", PREFILTER_CLASS_TEXT, "CL_TYPE_TEXT_ASCII");
    EXPECT("\xef\xbb\xbfgr\xc3\xbc\xc3\x9f"
           "e\n",
           PREFILTER_CLASS_TEXT, "CL_TYPE_TEXT_ASCII");
    EXPECT("bell \7 escape \x1b[0m \x85\x80", PREFILTER_CLASS_TEXT, "CL_TYPE_TEXT_ASCII");
    EXPECT("\1\2\3\4\5\6\0\1", PREFILTER_CLASS_BINARY, "CL_TYPE_BINARY_DATA");
    EXPECT("\0\0\1\xb3 film \0\1", PREFILTER_CLASS_BINARY, "CL_TYPE_BINARY_DATA");
    EXPECT("\1\2\3\4\5\6\7\x10", PREFILTER_CLASS_TEXT, "CL_TYPE_TEXT_UTF16BE");
    EXPECT("\xff\xfeh\0i\0j\0", PREFILTER_CLASS_ESCALATE, "byte order mark");
}

static void patterns_decide_text_and_data(void **state)
{
    EXPECT("text and then <html>", PREFILTER_CLASS_HTML, "CL_TYPE_HTML");
    EXPECT("text and then <HTML>", PREFILTER_CLASS_TEXT, "CL_TYPE_TEXT_ASCII");
    EXPECT("\1\2\0\1\0\1 <html>", PREFILTER_CLASS_HTML, "CL_TYPE_HTML");
    EXPECT("<a class=x Href=y>", PREFILTER_CLASS_HTML, "CL_TYPE_HTML");
    EXPECT("href before <a ", PREFILTER_CLASS_TEXT, "CL_TYPE_TEXT_ASCII");
    EXPECT("\1\2\0\1<html> and PK\3\4", PREFILTER_CLASS_ESCALATE, "CL_TYPE_ZIPSFX");
    EXPECT("a %PDF-1.4", PREFILTER_CLASS_ESCALATE, "CL_TYPE_PDF");
    EXPECT("a\nFrom: b\nx\nMIME", PREFILTER_CLASS_ESCALATE, "CL_TYPE_MAIL");
    EXPECT("a\nMIME: b\nx\nFrom: ", PREFILTER_CLASS_TEXT, "CL_TYPE_TEXT_ASCII");
    EXPECT("\xca\xfe\xba\xbe\0\0\0\7", PREFILTER_CLASS_ESCALATE, "CL_TYPE_MACHO_UNIBIN");
    EXPECT("\1\xca\xfe\xba\xbe\0\0\0\7\0\1\0\1", PREFILTER_CLASS_BINARY, "CL_TYPE_BINARY_DATA");
}

static void patterns_keep_to_their_offsets(void **state)
{
    char text[TYPE_LOOK + 100];

    memset(text, 'x', sizeof(text));
    lay(&text[510], "\x55\xaa", 2);
    expect(state, text, 511, PREFILTER_CLASS_TEXT, "CL_TYPE_TEXT_ASCII");
    expect(state, text, 512, PREFILTER_CLASS_ESCALATE, "CL_TYPE_MBR");
    lay(&text[509], "\x55\xaa\x55\x55", 4);
    expect(state, text, 600, PREFILTER_CLASS_TEXT, "CL_TYPE_TEXT_ASCII");
    memset(text, 'x', sizeof(text));
    lay(&text[100], "\nfrom: \nmIME", 12);
    expect(state, text, 200, PREFILTER_CLASS_ESCALATE, "CL_TYPE_MAIL");
    memset(text, 'x', sizeof(text));
    lay(&text[101], "\nfrom: \nmIME", 12);
    expect(state, text, 200, PREFILTER_CLASS_TEXT, "CL_TYPE_TEXT_ASCII");
    lay(&text[TYPE_LOOK - 6], "<html>", 6);
    expect(state, text, sizeof(text), PREFILTER_CLASS_HTML, "CL_TYPE_HTML");
    lay(&text[TYPE_LOOK - 6], "x<html>", 7);
    expect(state, text, sizeof(text), PREFILTER_CLASS_TEXT, "CL_TYPE_TEXT_ASCII");
}

static void wide_and_folded_html_is_escalated(void **state)
{
    /* Pairs (low, high) that libclamav folds to low + 16 * high: "<html>". */
    EXPECT("<\0h\0t\0m\0l\0>\0", PREFILTER_CLASS_ESCALATE, "byte order mark");
    EXPECT(",axpdpmple.a", PREFILTER_CLASS_TEXT, "CL_TYPE_TEXT_ASCII");
    EXPECT(",1`hpdpmplnc", PREFILTER_CLASS_TEXT, "CL_TYPE_TEXT_ASCII");
}

static void folded_html_is_found_in_plain_text(void **state)
{
    static const char html[] = "<html>";
    char text[12];

    for (size_t i = 0; i < 6; i++) { /* '2' (0x32) folds to 0x20: add the rest */
        text[2 * i + 1] = '2';
        text[2 * i] = (char)(html[i] - 0x20);
        if (text[2 * i] < 0x20) { /* '<', '>' : from 'A' (0x41), which folds to 0x10 */
            text[2 * i + 1] = 'A';
            text[2 * i] = (char)(html[i] - 0x10);
        }
    }
    expect(state, text, sizeof(text), PREFILTER_CLASS_ESCALATE, "CL_TYPE_HTML_UTF16");
    text[0]++;
    expect(state, text, sizeof(text), PREFILTER_CLASS_TEXT, "CL_TYPE_TEXT_ASCII");
}

static void byte_order_marks_are_escalated(void **state)
{
    static const char *const marks[] = {"\xff\xfe", "\xfe\xff", "<\0"};

    for (size_t i = 0; i < 3; i++) {
        char bytes[16] = "ab\0\1cdefghi";

        memcpy(bytes, marks[i], 2);
        assert_int_equal(
            type_of(((struct rig *)*state)->types, (uint8_t *)bytes, sizeof(bytes), true).class,
            PREFILTER_CLASS_ESCALATE);
    }
}

static void a_tar_is_known_by_its_sum(void **state)
{
    uint8_t bytes[600] = {0};
    unsigned sum = 8 * ' ';
    char digits[8];

    lay(bytes, "name\1", 5);
    lay(&bytes[100], "0000644", 7);
    for (size_t i = 0; i < 512; i++)
        sum += bytes[i];
    for (int i = 5; i >= 0; i--, sum /= 8)
        digits[i] = (char)('0' + sum % 8);
    memcpy(&bytes[148], digits, 6);
    expect(state, bytes, sizeof(bytes), PREFILTER_CLASS_ESCALATE, "CL_TYPE_OLD_TAR");
    expect(state, bytes, 511, PREFILTER_CLASS_BINARY, "CL_TYPE_BINARY_DATA");
    bytes[3]++;
    expect(state, bytes, sizeof(bytes), PREFILTER_CLASS_BINARY, "CL_TYPE_BINARY_DATA");
}

static void put_word(uint8_t *to, uint32_t word)
{
    for (unsigned i = 0; i < 4; i++)
        to[i] = (uint8_t)(word >> (24 - 8 * i));
}

static void the_worms_log_is_escalated(void **state)
{
    uint8_t bytes[96] = {0};

    for (unsigned record = 0; record < 2; record++) {
        uint32_t key = ~UINT32_C(0x00010203);
        uint32_t sum = 0;

        put_word(&bytes[32 * record], ~key);
        for (unsigned i = 1; i < 7; i++) {
            put_word(&bytes[32 * record + 4 * i], i * 0x01010101u);
            sum += (i * 0x01010101u) ^ key;
        }
        put_word(&bytes[32 * record + 28], (~key - sum) ^ key);
    }
    expect(state, bytes, sizeof(bytes), PREFILTER_CLASS_ESCALATE, "Heuristics.Worm.Mydoom.M.log");
    bytes[63]++;
    expect(state, bytes, sizeof(bytes), PREFILTER_CLASS_BINARY, "CL_TYPE_BINARY_DATA");
}

/* The watch: every split must tell the same. */

static const char *watched(const struct rig *rig, uint32_t domain, const char *name,
                           const uint8_t *bytes, size_t length, const size_t *cuts, size_t count)
{
    struct type_watch *watch = malloc(sizeof(*watch));
    const struct part_type type = {PREFILTER_CLASS_TEXT, name};
    const char *said = NULL;
    size_t at = 0;

    assert_non_null(watch);
    memset(watch, 0xa5, sizeof(*watch));
    type_watch_begin(watch, rig->types, domain, name == NULL ? NULL : &type);
    for (size_t i = 0; i <= count; i++) {
        size_t end = i < count ? cuts[i] : length;
        uint8_t *piece = malloc(end - at + 1);

        assert_non_null(piece);
        memcpy(piece, bytes + at, end - at);
        said = type_watch_feed(watch, piece, end - at);
        free(piece);
        at = end;
    }
    if (said == NULL)
        said = type_watch_end(watch);
    free(watch);
    return said;
}

static void check_watch(const struct rig *rig, uint32_t domain, const char *name,
                        const uint8_t *bytes, size_t length, const char *expected)
{
    for (size_t round = 0; round < 200 + length; round++) {
        size_t cuts[2] = {0, 0};
        size_t count = round == 0 ? 0 : 1;
        const char *said;

        if (round > 0 && round <= length)
            cuts[0] = round;
        if (round > length) {
            count = 2;
            cuts[0] = (size_t)rand() % (length + 1);
            cuts[1] = cuts[0] + (size_t)rand() % (length - cuts[0] + 1);
        }
        said = watched(rig, domain, name, bytes, length, cuts, count);
        if (expected == NULL)
            assert_null(said);
        else
            assert_string_equal(said == NULL ? "nothing" : said, expected);
    }
}

static void what_is_watched_for_depends_on_the_part(void **state)
{
    const struct rig *rig = *state;
    uint8_t text[1500];

    memset(text, 'x', sizeof(text));
    lay(&text[1300], "<html>", 6);
    check_watch(rig, PREFILTER_TEXT, "CL_TYPE_TEXT_ASCII", text, sizeof(text), "CL_TYPE_HTML");
    check_watch(rig, PREFILTER_IMAGE, "CL_TYPE_GIF", text, sizeof(text), "CL_TYPE_HTML");
    check_watch(rig, PREFILTER_IMAGE, "CL_TYPE_PNG", text, sizeof(text), NULL);
    check_watch(rig, PREFILTER_BINARY, "CL_TYPE_BINARY_DATA", text, sizeof(text), NULL);
    check_watch(rig, PREFILTER_RAW, NULL, text, sizeof(text), NULL);
    text[1300] = '"';
    check_watch(rig, PREFILTER_TEXT, "CL_TYPE_TEXT_ASCII", text, sizeof(text), NULL);
}

static void segments_may_be_far_apart(void **state)
{
    const struct rig *rig = *state;
    uint8_t text[700];

    memset(text, 'x', sizeof(text));
    lay(&text[90], "\nfrom: ", 7);
    check_watch(rig, PREFILTER_TEXT, "CL_TYPE_TEXT_ASCII", text, sizeof(text), NULL);
    lay(&text[690], "\nMIME", 5);
    check_watch(rig, PREFILTER_TEXT, "CL_TYPE_TEXT_ASCII", text, sizeof(text), "CL_TYPE_MAIL");
    memset(text, 'x', sizeof(text));
    lay(&text[200], "\nfrom: \nMIME", 12); /* begins too late */
    check_watch(rig, PREFILTER_TEXT, "CL_TYPE_TEXT_ASCII", text, sizeof(text), NULL);
}

static void archives_and_disks_matter_in_every_part(void **state)
{
    const struct rig *rig = *state;
    static const struct {
        uint32_t domain;
        const char *name;
    } parts[] = {{PREFILTER_RAW, NULL},
                 {PREFILTER_TEXT, "CL_TYPE_TEXT_ASCII"},
                 {PREFILTER_IMAGE, "CL_TYPE_PNG"},
                 {PREFILTER_BINARY, "CL_TYPE_BINARY_DATA"}};

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        uint8_t text[700];

        memset(text, 'x', sizeof(text));
        lay(&text[600], "\x60\xea", 2);
        lay(&text[609], "\0\2", 2);
        check_watch(rig, parts[i].domain, parts[i].name, text, sizeof(text), "CL_TYPE_ARJSFX");
        text[609] = 1;
        check_watch(rig, parts[i].domain, parts[i].name, text, sizeof(text), NULL);
        lay(&text[sizeof(text) - 512], "koly", 4);
        check_watch(rig, parts[i].domain, parts[i].name, text, sizeof(text), "CL_TYPE_DMG");
        check_watch(rig, parts[i].domain, parts[i].name, text, sizeof(text) - 1, NULL);
        check_watch(rig, parts[i].domain, parts[i].name, text, 191, NULL);
        lay(&text[510], "\x55\xaa", 2);
        check_watch(rig, parts[i].domain, parts[i].name, text, 600, "CL_TYPE_MBR");
    }
}

static void names_are_cleaned(void **state)
{
    static const char from[] = "An invoice-1 (final)/\xc3\xa4_\x7f\t\"x\".tar.GZ";
    static const char to[] = "An_invoice_1__final_______"
                             "_x_.tar.GZ";
    uint8_t cleaned[sizeof(from)];

    (void)state;
    type_clean_name((const uint8_t *)from, sizeof(from) - 1, cleaned);
    cleaned[sizeof(from) - 1] = 0;
    assert_string_equal(cleaned, to);
    for (unsigned i = 0; i < TYPE_MADE_NAMES; i++)
        assert_true(type_made_names[i][0] != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fixed_magics_decide_first, setup, teardown),
        cmocka_unit_test_setup_teardown(text_is_told_from_data, setup, teardown),
        cmocka_unit_test_setup_teardown(patterns_decide_text_and_data, setup, teardown),
        cmocka_unit_test_setup_teardown(patterns_keep_to_their_offsets, setup, teardown),
        cmocka_unit_test_setup_teardown(wide_and_folded_html_is_escalated, setup, teardown),
        cmocka_unit_test_setup_teardown(folded_html_is_found_in_plain_text, setup, teardown),
        cmocka_unit_test_setup_teardown(byte_order_marks_are_escalated, setup, teardown),
        cmocka_unit_test_setup_teardown(a_tar_is_known_by_its_sum, setup, teardown),
        cmocka_unit_test_setup_teardown(the_worms_log_is_escalated, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_watched_for_depends_on_the_part, setup, teardown),
        cmocka_unit_test_setup_teardown(segments_may_be_far_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(archives_and_disks_matter_in_every_part, setup, teardown),
        cmocka_unit_test(names_are_cleaned),
    };

    return cmocka_run_group_tests_name("type", tests, NULL, NULL);
}
