/* A mail of a corpus taken to pieces, held against a decoder of each kind that is too simple to be
 * wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "signatures/choose/views.h"
#include "signatures/prefilter/prefilter.h"

#define MAILS      2000u
#define MAIL_MAX   8192u
#define PIECES_MAX 512u
#define BLOCK_MIN  40u

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static uint32_t random_state = 20261130;

static uint32_t random_below(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % limit;
}

struct piece {
    uint8_t bytes[MAIL_MAX];
    size_t length;
};

static struct piece pieces[PIECES_MAX];
static unsigned piece_count;
static uint8_t mail[MAIL_MAX];
static size_t mail_length;

static size_t simple_squeeze(const uint8_t *from, size_t length, uint8_t *to)
{
    size_t left = 0;

    for (size_t i = 0; i < length; i++) {
        if (from[i] >= 'A' && from[i] <= 'Z')
            to[left++] = (uint8_t)(from[i] + 32);
        else if (from[i] > 32 && from[i] < 127)
            to[left++] = from[i];
    }
    return left;
}

static bool keep_piece(void *context, uint32_t domains, const uint8_t *bytes, size_t length,
                       const uint8_t *squeezed, size_t squeezed_length)
{
    static uint8_t expected[MAIL_MAX];

    (void)context;
    assert_int_equal(squeezed != NULL, (domains & PREFILTER_TEXT) != 0);
    assert_true(piece_count < PIECES_MAX && length <= MAIL_MAX);
    if (squeezed != NULL) {
        assert_int_equal(squeezed_length, simple_squeeze(bytes, length, expected));
        assert_memory_equal(squeezed, expected, squeezed_length);
    }
    memcpy(pieces[piece_count].bytes, bytes, length);
    pieces[piece_count++].length = length;
    return true;
}

static void put(const char *text)
{
    while (*text != '\0')
        mail[mail_length++] = (uint8_t)*text++;
}

/* A line of base64, text, or text with what are escapes and what only look like some. */
static void put_line(void)
{
    static const char *const marks[] = {"=",  "=3D", "=0",    "=\r", "=e9",
                                        "=E", "a=b", "=\r\n", "=\n"};
    unsigned kind = random_below(3);
    unsigned length = kind == 0 ? 30 + random_below(50) : random_below(60);

    for (unsigned i = 0; i < length; i++) {
        if (kind == 2 && random_below(8) == 0)
            put(marks[random_below(sizeof(marks) / sizeof(marks[0]))]);
        else
            mail[mail_length++] =
                (uint8_t)(kind == 0 ? alphabet[random_below(64)] : 0x20 + (int)random_below(0xd0));
    }
    if (kind == 0 && random_below(6) == 0)
        put(random_below(2) == 0 ? "=" : "==");
    put(random_below(2) == 0 ? "\r\n" : "\n");
}

static void make_mail(void)
{
    unsigned lines = random_below(30);

    mail_length = 0;
    while (lines-- > 0)
        put_line();
}

static int hex_of(uint8_t digit)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *found = digit != '\0' ? strchr(digits, digit) : NULL;

    return found != NULL ? (int)((found - digits) % 16) : -1;
}

/* Quoted-printable undone wherever it is some; a NUL is none. */
static size_t simple_quoted(uint8_t *to)
{
    size_t written = 0;

    for (size_t i = 0; i < mail_length;) {
        const uint8_t *at = mail + i;
        size_t left = mail_length - i;

        if (*at == '=' && left > 1 && at[1] == '\n') {
            i += 2;
        } else if (*at == '=' && left > 2 && at[1] == '\r' && at[2] == '\n') {
            i += 3;
        } else if (*at == '=' && left > 2 && hex_of(at[1]) >= 0 && hex_of(at[2]) >= 0 &&
                   hex_of(at[1]) + hex_of(at[2]) > 0) {
            to[written++] = (uint8_t)(hex_of(at[1]) * 16 + hex_of(at[2]));
            i += 3;
        } else {
            to[written++] = *at;
            i++;
        }
    }
    return written;
}

/* The line at `from` without its end; *next: where the next begins. */
static size_t line_at(size_t from, size_t *next)
{
    size_t to = from;

    while (to < mail_length && mail[to] != '\n')
        to++;
    *next = to < mail_length ? to + 1 : to;
    return to > from && mail[to - 1] == '\r' ? to - 1 - from : to - from;
}

static bool line_encoded(size_t from, size_t length)
{
    while (length > 0 && mail[from + length - 1] == '=')
        length--;
    for (size_t i = 0; i < length; i++) {
        if (mail[from + i] == '\0' || strchr(alphabet, mail[from + i]) == NULL)
            return false;
    }
    return length > 0;
}

/* The block of base64 at *from, bit by bit; what does not fill a byte at its end is left. */
static size_t simple_block(size_t *from, uint8_t *to)
{
    size_t written = 0;
    uint32_t value = 0;
    unsigned bits = 0;
    size_t next;
    size_t length;

    for (; *from < mail_length; *from = next) {
        length = line_at(*from, &next);
        if (!line_encoded(*from, length))
            break;
        for (size_t i = *from; i < *from + length && mail[i] != '='; i++) {
            value = value << 6 | (uint32_t)(strchr(alphabet, mail[i]) - alphabet);
            bits += 6;
            if (bits >= 8) {
                bits -= 8;
                to[written++] = (uint8_t)(value >> bits);
            }
        }
    }
    return written;
}

/* Its end may have up to two bytes more, as libclamav has them (base64.h). */
static void check_block(const struct piece *piece, const uint8_t *bytes, size_t length)
{
    assert_in_range(piece->length, length, length + 2);
    assert_memory_equal(piece->bytes, bytes, length);
}

static unsigned check_blocks(unsigned at)
{
    static uint8_t expected[MAIL_MAX];
    unsigned blocks = 0;

    for (size_t from = 0; from < mail_length;) {
        size_t next;
        size_t length = line_at(from, &next);

        if (length < BLOCK_MIN || !line_encoded(from, length)) {
            from = next;
            continue;
        }
        length = simple_block(&from, expected);
        assert_true(at + blocks < piece_count);
        check_block(&pieces[at + blocks], expected, length);
        blocks++;
    }
    return blocks;
}

static void test_pieces(void **state)
{
    static uint8_t expected[MAIL_MAX];
    const struct view_sink sink = {NULL, keep_piece};
    struct views views = {0};
    unsigned quoted = 0;
    unsigned blocks = 0;

    (void)state;
    for (unsigned i = 0; i < MAILS; i++) {
        unsigned at = 1;
        size_t length;

        make_mail();
        piece_count = 0;
        assert_true(views_of_mail(&views, mail, mail_length, &sink));
        assert_int_equal(pieces[0].length, mail_length);
        assert_memory_equal(pieces[0].bytes, mail, mail_length);
        length = simple_quoted(expected);
        if (length != mail_length) {
            assert_int_equal(pieces[1].length, length);
            assert_memory_equal(pieces[1].bytes, expected, length);
            at++;
            quoted++;
        }
        at += check_blocks(at);
        assert_int_equal(piece_count, at);
        blocks += at;
    }
    assert_true(quoted > MAILS / 4 && blocks > MAILS);
    views_free(&views);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pieces)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
