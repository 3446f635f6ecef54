/* Reading a message from another process: a valid one byte by byte, and every way a header may lie.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "platform/link/message_view.h"

#define MESSAGES   4u
#define BLOCKS     32u
#define INDEX      2u
#define GENERATION 7u
#define TABLE      31u /* block that holds the extents */
#define ENVELOPE   29u /* and the first envelope block; the second is 30 */

/* Pieces of every awkward kind: empty ones first, between and last, one byte, a whole block, the
 * end of a block, the same bytes twice. */
static const struct message_extent layout[] = {
    {0, 5, 0}, {1, 100, 1}, {1, 101, 37}, {2, 0, 16384}, {3, 16384, 0}, {3, 16300, 84},
    {4, 0, 2}, {4, 0, 2},   {0, 0, 0},    {5, 16383, 1}, {6, 77, 300},  {7, 1, 0},
};
#define EXTENTS (sizeof(layout) / sizeof(layout[0]))

struct rig {
    struct region writer;
    struct region reader;
    struct message_header *header;
    uint8_t flat[40000];
    uint32_t size;
};

static struct message_extent *extents_of(const struct rig *rig)
{
    return (struct message_extent *)region_block(&rig->writer, TABLE);
}

/* (Re)writes the valid message. */
static void write_message(struct rig *rig)
{
    struct message_header *header = rig->header;

    rig->size = 0;
    for (size_t i = 0; i < EXTENTS; i++) {
        extents_of(rig)[i] = layout[i];
        memcpy(rig->flat + rig->size,
               region_block(&rig->writer, layout[i].block) + layout[i].offset, layout[i].length);
        rig->size += layout[i].length;
    }
    atomic_store(&header->generation, GENERATION);
    header->flags = MESSAGE_FLAG_8BITMIME;
    header->size = rig->size;
    header->trace_size = 38;
    header->extent_count = EXTENTS;
    header->envelope_block_count = 2;
    header->recipient_count = 2;
    memset(header->extent_blocks, 0xff, sizeof(header->extent_blocks)); /* unused ones: garbage */
    memset(header->envelope_blocks, 0xff, sizeof(header->envelope_blocks));
    header->extent_blocks[0] = TABLE;
    header->envelope_blocks[0] = ENVELOPE;
    header->envelope_blocks[1] = ENVELOPE + 1;
}

static int set_up(void **state)
{
    static struct rig rig;
    struct region_plan plan = {1, MESSAGES, BLOCKS};

    assert_int_equal(region_create(&rig.writer, &plan, REGION_PAGES_NORMAL), STATUS_OK);
    assert_int_equal(region_open(&rig.reader, dup(rig.writer.fd)), STATUS_OK);
    for (uint32_t block = 0; block < BLOCKS; block++) {
        for (uint32_t i = 0; i < MESSAGE_BLOCK_BYTES; i++)
            region_block(&rig.writer, block)[i] = (uint8_t)(block * 41 + i + i / 251);
    }
    memset(region_block(&rig.writer, ENVELOPE), 0, (size_t)2 * MESSAGE_BLOCK_BYTES);
    rig.header = region_message(&rig.writer, INDEX);
    write_message(&rig);
    *state = &rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;

    region_close(&rig->reader);
    region_close(&rig->writer);
    return 0;
}

static void open_valid(struct rig *rig, struct message_view *view)
{
    write_message(rig);
    assert_int_equal(message_view_open(view, &rig->reader, INDEX, GENERATION, rig->size),
                     STATUS_OK);
}

static void test_valid(void **state)
{
    struct rig *rig = *state;
    struct message_view view;
    uint8_t copy[sizeof(rig->flat)];

    open_valid(rig, &view);
    assert_int_equal(view.size, rig->size);
    assert_int_equal(view.trace_size, 38);
    assert_int_equal(view.flags, MESSAGE_FLAG_8BITMIME);
    assert_true(message_view_current(&view));
    assert_int_equal(message_view_read(&view, 0, copy, sizeof(copy)), rig->size);
    assert_memory_equal(copy, rig->flat, rig->size);
    atomic_store(&rig->header->generation, GENERATION + 1);
    assert_false(message_view_current(&view));
    message_view_close(&view);
    assert_int_equal(message_view_read(&view, 0, copy, 1), 0);
}

static void check_read(const struct rig *rig, const struct message_view *view, size_t offset,
                       size_t length)
{
    uint8_t copy[sizeof(rig->flat) + 2];
    size_t expected = offset >= rig->size           ? 0
                      : length > rig->size - offset ? rig->size - offset
                                                    : length;

    copy[0] = 0xee;
    copy[expected + 1] = 0xee;
    assert_int_equal(message_view_read(view, offset, copy + 1, length), expected);
    assert_memory_equal(copy + 1, rig->flat + offset, expected);
    assert_int_equal(copy[0], 0xee);
    assert_int_equal(copy[expected + 1], 0xee);
}

static void check_iovec(const struct rig *rig, const struct message_view *view, size_t offset,
                        size_t length, unsigned count)
{
    struct iovec vectors[EXTENTS + 1];
    const uint8_t *blocks = region_block(&rig->reader, 0);
    unsigned filled = message_view_iovec(view, offset, length, vectors, count);
    size_t total = 0;

    assert_true(filled <= count);
    for (unsigned i = 0; i < filled; i++) {
        const uint8_t *bytes = vectors[i].iov_base;

        assert_true(vectors[i].iov_len > 0);
        assert_true(bytes >= blocks &&
                    bytes + vectors[i].iov_len <= blocks + (size_t)BLOCKS * MESSAGE_BLOCK_BYTES);
        assert_memory_equal(bytes, rig->flat + offset + total, vectors[i].iov_len);
        total += vectors[i].iov_len;
    }
    assert_true(total <= length);
    if (count > EXTENTS && offset < rig->size)
        assert_int_equal(total, length < rig->size - offset ? length : rig->size - offset);
    if (offset < rig->size && length > 0 && count > 0)
        assert_true(filled > 0);
}

/* Every offset near a seam with every length near one, and every offset with a few lengths. */
static void test_reads_everywhere(void **state)
{
    struct rig *rig = *state;
    struct message_view view;
    size_t seams[3 * EXTENTS + 6];
    size_t count = 0;
    size_t at = 0;

    open_valid(rig, &view);
    for (size_t i = 0; i <= EXTENTS; i++) {
        for (size_t near = at == 0 ? 1 : 0; near < 3; near++)
            seams[count++] = at + near - 1;
        at += i < EXTENTS ? layout[i].length : 0;
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            check_read(rig, &view, seams[i], seams[j]);
            check_iovec(rig, &view, seams[i], seams[j], EXTENTS + 1);
            check_iovec(rig, &view, seams[i], seams[j], 2);
        }
        check_read(rig, &view, seams[i], SIZE_MAX);
        check_iovec(rig, &view, seams[i], SIZE_MAX, 1);
        check_iovec(rig, &view, seams[i], SIZE_MAX, 0);
    }
    for (size_t offset = 0; offset < rig->size + 3u; offset++) {
        check_read(rig, &view, offset, 1);
        check_read(rig, &view, offset, 130);
        check_iovec(rig, &view, offset, 40, EXTENTS + 1);
    }
    check_read(rig, &view, SIZE_MAX, SIZE_MAX);
    check_iovec(rig, &view, SIZE_MAX, 1, 1);
    message_view_close(&view);
}

static void test_empty_message(void **state)
{
    struct rig *rig = *state;
    struct message_view view;
    struct iovec vector;
    uint8_t byte;

    write_message(rig);
    rig->header->size = 0;
    rig->header->trace_size = 0;
    rig->header->extent_count = 0;
    rig->header->envelope_block_count = 0;
    assert_int_equal(message_view_open(&view, &rig->reader, INDEX, GENERATION, 0), STATUS_OK);
    assert_int_equal(message_view_read(&view, 0, &byte, 1), 0);
    assert_int_equal(message_view_iovec(&view, 0, 1, &vector, 1), 0);
    message_view_close(&view);
}

static void refused_with(const struct rig *rig, uint32_t index, uint32_t generation,
                         uint32_t length, enum status expected)
{
    struct message_view view;

    assert_int_equal(message_view_open(&view, &rig->reader, index, generation, length), expected);
    assert_null(view.extents); /* nothing needs closing; the sanitizer watches over it */
    assert_null(view.starts);
}

static void refused(const struct rig *rig)
{
    refused_with(rig, INDEX, GENERATION, rig->size, STATUS_BAD_FORMAT);
}

static void test_hand_over_is_checked(void **state)
{
    struct rig *rig = *state;

    write_message(rig);
    refused_with(rig, MESSAGES, GENERATION, rig->size, STATUS_BAD_FORMAT);
    refused_with(rig, UINT32_MAX, GENERATION, rig->size, STATUS_BAD_FORMAT);
    refused_with(rig, INDEX, GENERATION - 1, rig->size, STATUS_STALE);
    refused_with(rig, INDEX, GENERATION + 1, rig->size, STATUS_STALE);
    refused_with(rig, INDEX, 0, rig->size, STATUS_STALE);
    refused_with(rig, INDEX + 1, GENERATION, rig->size, STATUS_STALE);
    refused_with(rig, INDEX, GENERATION, rig->size - 1, STATUS_STALE);
    refused_with(rig, INDEX, GENERATION, rig->size + 1, STATUS_STALE);
    refused_with(rig, INDEX, GENERATION, 0, STATUS_STALE);
}

#define REFUSED(change)     \
    do {                    \
        write_message(rig); \
        change;             \
        refused(rig);       \
    } while (0)

static void test_hostile_counts_and_blocks(void **state)
{
    struct rig *rig = *state;
    struct message_header *header = rig->header;

    REFUSED(header->extent_count = MESSAGE_EXTENTS_MAX + 1);
    REFUSED(header->extent_count = UINT32_MAX);
    REFUSED(header->extent_count = EXTENTS - 2); /* less than size */
    REFUSED(header->extent_count = 0);
    REFUSED(extents_of(rig)[EXTENTS] = ((struct message_extent){0, 0, 1});
            header->extent_count = EXTENTS + 1); /* more than size */
    REFUSED(header->envelope_block_count = MESSAGE_ENVELOPE_BLOCKS_MAX + 1);
    REFUSED(header->envelope_block_count = UINT32_MAX);
    REFUSED(header->envelope_blocks[0] = BLOCKS);
    REFUSED(header->envelope_blocks[1] = UINT32_MAX);
    REFUSED(header->envelope_block_count = 3);
    REFUSED(header->extent_blocks[0] = BLOCKS);
    REFUSED(header->extent_blocks[0] = UINT32_MAX);
    REFUSED(header->extent_count = MESSAGE_EXTENTS_PER_BLOCK + 1); /* second table: garbage */
    REFUSED(header->trace_size = rig->size + 1);
    REFUSED(header->trace_size = UINT32_MAX);
    REFUSED(header->size = rig->size - 1);
    REFUSED(header->size = rig->size + 1);
    REFUSED(header->size = UINT32_MAX);
}

static void test_hostile_extents(void **state)
{
    struct rig *rig = *state;

    for (size_t i = 0; i < EXTENTS; i++) {
        struct message_extent *extent = &extents_of(rig)[i];

        REFUSED(extent->block = BLOCKS);
        REFUSED(extent->block = UINT32_MAX);
        REFUSED(extent->offset = 16385);
        REFUSED(extent->offset = UINT16_MAX);
        REFUSED(extent->length = (uint16_t)(16385 - extent->offset));
        REFUSED(extent->length = UINT16_MAX);
        REFUSED(extent->offset = UINT16_MAX; extent->length = UINT16_MAX);
        REFUSED(extent->length = (uint16_t)(extent->length - 1));
    }
}

/* Whatever is accepted lies inside the region. */
static void test_random_headers(void **state)
{
    struct rig *rig = *state;
    uint8_t copy[sizeof(rig->flat)];
    uint64_t random = 0x9e3779b97f4a7c15u;
    unsigned accepted = 0;

    for (unsigned n = 0; n < 100000; n++) {
        struct message_view view;
        uint32_t *words = (uint32_t *)rig->header;
        size_t word_count = sizeof(*rig->header) / sizeof(*words);

        write_message(rig);
        for (unsigned change = 0; change < 1 + n % 3; change++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            if ((random >> 60) % 2 != 0)
                words[(random >> 33) % word_count] = (uint32_t)(random >> 20) & (n % 64);
            else
                ((uint32_t *)extents_of(rig))[(random >> 33) % (2 * EXTENTS)] ^=
                    UINT32_C(1) << ((random >> 20) % 32);
        }
        if (message_view_open(&view, &rig->reader, INDEX, GENERATION, rig->size) != STATUS_OK)
            continue;
        accepted++;
        for (uint32_t i = 0; i < view.extent_count; i++) {
            assert_true(view.extents[i].block < BLOCKS);
            assert_true(view.extents[i].offset + view.extents[i].length <= 16384);
        }
        assert_int_equal(message_view_read(&view, 0, copy, sizeof(copy)), rig->size);
        message_view_close(&view);
    }
    assert_true(accepted > 1000 && accepted < 99000);
}

/* A view is a snapshot: what the writer does to the header afterwards changes nothing. */
static void test_snapshot(void **state)
{
    struct rig *rig = *state;
    struct message_view view;
    uint8_t copy[sizeof(rig->flat)];

    open_valid(rig, &view);
    memset(extents_of(rig), 0xff, MESSAGE_BLOCK_BYTES);
    memset((uint8_t *)rig->header + 4, 0xff, sizeof(*rig->header) - 4);
    assert_int_equal(message_view_read(&view, 0, copy, sizeof(copy)), rig->size);
    assert_memory_equal(copy, rig->flat, rig->size);
    message_view_close(&view);
}

/* -- the envelope ------------------------------------------------------------------------------ */

static size_t put_field(const struct rig *rig, size_t at, uint16_t field, uint16_t length,
                        const char *value)
{
    uint8_t *to = region_block(&rig->writer, ENVELOPE) + at;
    struct envelope_field_header header = {field, length};

    memcpy(to, &header, sizeof(header));
    if (value != NULL)
        memcpy(to + sizeof(header), value, length);
    return at + sizeof(header) + length;
}

static void expect_field(const struct message_view *view, size_t *position, unsigned field,
                         const char *expected)
{
    enum envelope_field found;
    const char *value;
    size_t length;

    assert_int_equal(message_view_field(view, position, &found, &value, &length), STATUS_OK);
    assert_int_equal(found, field);
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(value, expected, length);
}

static enum status next_field(const struct message_view *view, size_t *position)
{
    enum envelope_field found;
    const char *value;
    size_t length;

    return message_view_field(view, position, &found, &value, &length);
}

static void clear_envelope(const struct rig *rig)
{
    memset(region_block(&rig->writer, ENVELOPE), 0, (size_t)2 * MESSAGE_BLOCK_BYTES);
}

static void test_envelope(void **state)
{
    struct rig *rig = *state;
    struct message_view view;
    char text[8];
    size_t position = 0;
    size_t at;

    clear_envelope(rig);
    at = put_field(rig, 0, ENVELOPE_ID, 4, "ABCD");
    at = put_field(rig, at, ENVELOPE_SENDER, 0, NULL);
    (void)put_field(rig, at, ENVELOPE_RECIPIENT, 5, "a@b.c");
    at = put_field(rig, MESSAGE_BLOCK_BYTES, ENVELOPE_RECIPIENT, 9, "long@e.fg");
    (void)put_field(rig, at, 999, 1, "?"); /* of a newer version */
    open_valid(rig, &view);
    expect_field(&view, &position, ENVELOPE_ID, "ABCD");
    expect_field(&view, &position, ENVELOPE_SENDER, "");
    expect_field(&view, &position, ENVELOPE_RECIPIENT, "a@b.c");
    expect_field(&view, &position, ENVELOPE_RECIPIENT, "long@e.fg");
    expect_field(&view, &position, 999, "?");
    assert_int_equal(next_field(&view, &position), STATUS_NOT_FOUND);
    assert_int_equal(next_field(&view, &position), STATUS_NOT_FOUND);

    memset(text, 'x', sizeof(text));
    assert_true(message_view_string(&view, ENVELOPE_RECIPIENT, text, sizeof(text)));
    assert_string_equal(text, "a@b.c");
    assert_true(message_view_string(&view, ENVELOPE_ID, text, 3));
    assert_string_equal(text, "AB");
    assert_true(message_view_string(&view, ENVELOPE_SENDER, text, 1));
    assert_string_equal(text, "");
    assert_false(message_view_string(&view, ENVELOPE_HELO, text, sizeof(text)));
    message_view_close(&view);
}

/* A block that is full to its last byte, or has no room for another header, needs no end mark. */
static void test_envelope_block_ends(void **state)
{
    struct rig *rig = *state;

    for (size_t left = 0; left <= sizeof(struct envelope_field_header); left++) {
        static char filler[MESSAGE_ENVELOPE_FIELD_BYTES];
        struct message_view view;
        size_t position = 0;
        size_t at = 0;
        unsigned fields = 0;

        clear_envelope(rig);
        while (at + 2 * sizeof(filler) < MESSAGE_BLOCK_BYTES) {
            at = put_field(rig, at, ENVELOPE_RECIPIENT, sizeof(filler), filler);
            fields++;
        }
        while (at < MESSAGE_BLOCK_BYTES - left) {
            size_t length = MESSAGE_BLOCK_BYTES - left - at - sizeof(struct envelope_field_header);

            if (length > sizeof(filler))
                length = sizeof(filler) / 2;
            at = put_field(rig, at, ENVELOPE_RECIPIENT, (uint16_t)length, filler);
            fields++;
        }
        assert_int_equal(at, MESSAGE_BLOCK_BYTES - left);
        (void)put_field(rig, MESSAGE_BLOCK_BYTES, ENVELOPE_ID, 1, "Z");
        open_valid(rig, &view);
        while (fields-- > 0)
            assert_int_equal(next_field(&view, &position), STATUS_OK);
        expect_field(&view, &position, ENVELOPE_ID, "Z");
        assert_int_equal(next_field(&view, &position), STATUS_NOT_FOUND);
        message_view_close(&view);
    }
}

static void test_garbled_envelope(void **state)
{
    struct rig *rig = *state;
    static const uint16_t lengths[] = {MESSAGE_ENVELOPE_FIELD_BYTES + 1, 16384, UINT16_MAX};
    struct message_view view;
    char text[32];
    size_t position;
    size_t at;

    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        clear_envelope(rig);
        (void)put_field(rig, 0, ENVELOPE_ID, lengths[i], NULL);
        open_valid(rig, &view);
        position = 0;
        assert_int_equal(next_field(&view, &position), STATUS_BAD_FORMAT);
        assert_int_equal(position, 0); /* and asking again does not get past it */
        assert_int_equal(next_field(&view, &position), STATUS_BAD_FORMAT);
        assert_false(message_view_string(&view, ENVELOPE_ID, text, sizeof(text)));
        message_view_close(&view);
    }
    /* A field that would cross the end of its block. */
    clear_envelope(rig);
    for (at = 0; at + 1028 <= 15 * 1028;)
        at = put_field(rig, at, ENVELOPE_RECIPIENT, 1024, NULL);
    (void)put_field(rig, at, ENVELOPE_RECIPIENT, (uint16_t)(MESSAGE_BLOCK_BYTES - at - 3), NULL);
    open_valid(rig, &view);
    position = at;
    assert_int_equal(next_field(&view, &position), STATUS_BAD_FORMAT);
    message_view_close(&view);
    /* Noise: every walk ends, within the block's bytes. */
    for (unsigned seed = 1; seed < 500; seed++) {
        uint32_t noise = seed;
        unsigned steps = 0;

        for (size_t i = 0; i < (size_t)2 * MESSAGE_BLOCK_BYTES; i++) {
            noise = noise * 1103515245 + 12345;
            region_block(&rig->writer, ENVELOPE)[i] =
                seed % 2 != 0 || i % 4 != 3 ? (uint8_t)(noise >> 16) : 0;
        }
        open_valid(rig, &view);
        position = 0;
        while (next_field(&view, &position) == STATUS_OK && position <= 32768)
            assert_true(steps++ < 8192);
        assert_true(position <= 32768);
        message_view_close(&view);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid),
        cmocka_unit_test(test_reads_everywhere),
        cmocka_unit_test(test_empty_message),
        cmocka_unit_test(test_hand_over_is_checked),
        cmocka_unit_test(test_hostile_counts_and_blocks),
        cmocka_unit_test(test_hostile_extents),
        cmocka_unit_test(test_random_headers),
        cmocka_unit_test(test_snapshot),
        cmocka_unit_test(test_envelope),
        cmocka_unit_test(test_envelope_block_ends),
        cmocka_unit_test(test_garbled_envelope),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
