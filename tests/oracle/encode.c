#include "tests/oracle/encode.h"

#include <string.h>

#define ENCODE_QP_WIDTH 72u

void encode_base64(struct bytes *to, const void *from, size_t length, size_t width)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *bytes = from;
    size_t column = 0;

    for (size_t i = 0; i < length; i += 3) {
        size_t left = length - i;
        uint32_t group = (uint32_t)bytes[i] << 16;
        char text[4];

        group |= left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
        group |= left > 2 ? bytes[i + 2] : 0;
        text[0] = alphabet[group >> 18];
        text[1] = alphabet[group >> 12 & 63];
        text[2] = '=';
        text[3] = '=';
        if (left > 1)
            text[2] = alphabet[group >> 6 & 63];
        if (left > 2)
            text[3] = alphabet[group & 63];
        bytes_append(to, text, sizeof(text));
        column += sizeof(text);
        if (column >= width) {
            bytes_text(to, "\r\n");
            column = 0;
        }
    }
    if (column > 0)
        bytes_text(to, "\r\n");
}

static bool encode_qp_plain(uint8_t byte, bool last)
{
    if (byte == ' ' || byte == '\t')
        return !last;
    return byte > ' ' && byte < 0x7f && byte != '=';
}

void encode_quoted_printable(struct bytes *to, const struct bytes *from, bool loose,
                             struct random *random)
{
    size_t column = 0;

    for (size_t i = 0; i < from->length; i++) {
        const uint8_t *at = from->data + i;
        bool line_end = at[0] == '\r' && i + 1 < from->length && at[1] == '\n';
        bool last = i + 1 == from->length || at[1] == '\r' || at[1] == '\n';

        if (line_end) {
            bytes_text(to, "\r\n");
            column = 0;
            i++;
            continue;
        }
        if (column >= ENCODE_QP_WIDTH || (loose && random_chance(random, 300))) {
            bytes_text(to, "=\r\n");
            column = 0;
        }
        if (encode_qp_plain(at[0], last) && !(loose && random_chance(random, 400))) {
            bytes_byte(to, at[0]);
            column++;
        } else {
            bytes_format(to, loose && random_chance(random, 2000) ? "=%02x" : "=%02X", at[0]);
            column += 3;
        }
    }
}

void encode_uuencode(struct bytes *to, const struct bytes *from, const char *name)
{
    bytes_format(to, "begin 644 %s\r\n", name);
    for (size_t i = 0; i < from->length; i += 45) {
        size_t count = from->length - i < 45 ? from->length - i : 45;

        bytes_byte(to, (uint8_t)(' ' + count));
        for (size_t j = 0; j < count; j += 3) {
            uint32_t group = 0;

            for (size_t k = 0; k < 3; k++)
                group = group << 8 | (j + k < count ? from->data[i + j + k] : 0u);
            for (int shift = 18; shift >= 0; shift -= 6) {
                uint8_t value = group >> shift & 63;

                bytes_byte(to, value == 0 ? '`' : (uint8_t)(' ' + value));
            }
        }
        bytes_text(to, "\r\n");
    }
    bytes_text(to, "`\r\nend\r\n");
}

void encode_yenc(struct bytes *to, const struct bytes *from, const char *name)
{
    size_t column = 0;

    bytes_format(to, "=ybegin line=128 size=%zu name=%s\r\n", from->length, name);
    for (size_t i = 0; i < from->length; i++) {
        uint8_t byte = (uint8_t)(from->data[i] + 42);

        if (byte == 0 || byte == '\n' || byte == '\r' || byte == '=') {
            bytes_byte(to, '=');
            byte = (uint8_t)(byte + 64);
        }
        bytes_byte(to, byte);
        if (++column == 128) {
            bytes_text(to, "\r\n");
            column = 0;
        }
    }
    bytes_format(to, "\r\n=yend size=%zu\r\n", from->length);
}

static uint16_t encode_binhex_crc(const uint8_t *bytes, size_t length)
{
    uint16_t crc = 0;

    for (size_t i = 0; i < length + 2; i++) { /* two zero bytes stand for the sum itself */
        uint8_t byte = i < length ? bytes[i] : 0;

        for (int bit = 7; bit >= 0; bit--) {
            bool carry = (crc & 0x8000) != 0;

            crc = (uint16_t)(crc << 1 | (byte >> bit & 1));
            crc = carry ? crc ^ 0x1021 : crc;
        }
    }
    return crc;
}

static void encode_big(struct bytes *to, uint32_t value, unsigned count)
{
    for (unsigned i = count; i-- > 0;)
        bytes_byte(to, (uint8_t)(value >> 8 * i));
}

static void encode_little(struct bytes *to, uint32_t value, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        bytes_byte(to, (uint8_t)(value >> 8 * i));
}

/* What BinHex 4.0 encodes: header, data fork, empty resource fork, each with its sum. */
static void encode_binhex_forks(struct bytes *plain, const struct bytes *from, const char *name)
{
    size_t start;

    bytes_byte(plain, (uint8_t)strlen(name));
    bytes_text(plain, name);
    bytes_append(plain, "\0TEXTttxt\0\0", 11);
    encode_big(plain, (uint32_t)from->length, 4);
    encode_big(plain, 0, 4);
    encode_big(plain, encode_binhex_crc(plain->data, plain->length), 2);
    start = plain->length;
    bytes_append(plain, from->data, from->length);
    encode_big(plain, encode_binhex_crc(plain->data + start, from->length), 2);
    encode_big(plain, 0, 2);
}

void encode_binhex(struct bytes *to, const struct bytes *from, const char *name)
{
    static const char alphabet[] =
        "!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr";
    struct bytes plain = {0};
    struct bytes escaped = {0};
    uint32_t bits = 0;
    unsigned held = 0;
    size_t column = 1;

    encode_binhex_forks(&plain, from, name);
    for (size_t i = 0; i < plain.length; i++) {
        bytes_byte(&escaped, plain.data[i]);
        if (plain.data[i] == 0x90)
            bytes_byte(&escaped, 0);
    }
    bytes_text(to, "(This file must be converted with BinHex 4.0)\r\n\r\n:");
    for (size_t i = 0; i <= escaped.length; i++) {
        bits = bits << 8 | (i < escaped.length ? escaped.data[i] : 0u);
        held += 8;
        while (held >= 6 && (i < escaped.length || held > 8)) {
            held -= 6;
            bytes_byte(to, (uint8_t)alphabet[bits >> held & 63]);
            if (++column == 64) {
                bytes_text(to, "\r\n");
                column = 0;
            }
        }
    }
    bytes_text(to, ":\r\n");
    bytes_free(&plain);
    bytes_free(&escaped);
}

static uint32_t encode_crc32(const uint8_t *bytes, size_t length)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < length; i++) {
        crc ^= bytes[i];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = (crc & 1) != 0 ? crc >> 1 ^ UINT32_C(0xedb88320) : crc >> 1;
    }
    return ~crc;
}

/* What local and central header have in common, from "version needed" to the extra field's length.
 */
static void encode_zip_fields(struct bytes *to, const struct bytes *from, const char *name)
{
    encode_little(to, 10, 2);
    encode_little(to, 0, 2); /* flags */
    encode_little(to, 0, 2); /* stored */
    encode_little(to, 0x21, 4);
    encode_little(to, encode_crc32(from->data, from->length), 4);
    encode_little(to, (uint32_t)from->length, 4);
    encode_little(to, (uint32_t)from->length, 4);
    encode_little(to, (uint32_t)strlen(name), 2);
    encode_little(to, 0, 2);
}

void encode_zip(struct bytes *to, const struct bytes *from, const char *name)
{
    size_t start = to->length;
    size_t central;
    size_t end;

    bytes_append(to, "PK\3\4", 4);
    encode_zip_fields(to, from, name);
    bytes_text(to, name);
    bytes_append(to, from->data, from->length);
    central = to->length;
    bytes_append(to, "PK\1\2\24\0", 6);
    encode_zip_fields(to, from, name);
    encode_little(to, 0, 2); /* comment */
    encode_little(to, 0, 2); /* disk */
    encode_little(to, 0, 2);
    encode_little(to, 0, 4);
    encode_little(to, 0, 4); /* offset of the local header */
    bytes_text(to, name);
    end = to->length;
    bytes_append(to, "PK\5\6\0\0\0\0\1\0\1\0", 12);
    encode_little(to, (uint32_t)(end - central), 4);
    encode_little(to, (uint32_t)(central - start), 4);
    encode_little(to, 0, 2);
}

static void encode_png_chunk(struct bytes *to, const char *type, const void *from, size_t length)
{
    size_t start;

    encode_big(to, (uint32_t)length, 4);
    start = to->length;
    bytes_text(to, type);
    bytes_append(to, from, length);
    encode_big(to, encode_crc32(to->data + start, to->length - start), 4);
}

void encode_png(struct bytes *to, const struct bytes *from)
{
    static const uint8_t header[] = {0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0};
    static const uint8_t pixel[] = {0x78, 0x9c, 0x63, 0, 0, 0, 2, 0, 1};
    struct bytes text = {0};

    bytes_append(to, "\x89PNG\r\n\x1a\n", 8);
    encode_png_chunk(to, "IHDR", header, sizeof(header));
    bytes_append(&text, "Comment", 8);
    bytes_append(&text, from->data, from->length);
    encode_png_chunk(to, "tEXt", text.data, text.length);
    encode_png_chunk(to, "IDAT", pixel, sizeof(pixel));
    encode_png_chunk(to, "IEND", "", 0);
    bytes_free(&text);
}

void encode_gif(struct bytes *to, const struct bytes *from)
{
    bytes_append(to, "GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff", 19);
    bytes_append(to, "!\xfe", 2); /* comment, in blocks of up to 255 */
    for (size_t i = 0; i < from->length; i += 255) {
        size_t count = from->length - i < 255 ? from->length - i : 255;

        bytes_byte(to, (uint8_t)count);
        bytes_append(to, from->data + i, count);
    }
    bytes_byte(to, 0);
    bytes_append(to, ",\0\0\0\0\1\0\1\0\0\2\2D\1\0;", 16);
}

void encode_utf16(struct bytes *to, const struct bytes *from, bool big_endian, bool mark)
{
    if (mark)
        bytes_append(to, big_endian ? "\xfe\xff" : "\xff\xfe", 2);
    for (size_t i = 0; i < from->length; i++) {
        if (big_endian)
            bytes_byte(to, 0);
        bytes_byte(to, from->data[i]);
        if (!big_endian)
            bytes_byte(to, 0);
    }
}
