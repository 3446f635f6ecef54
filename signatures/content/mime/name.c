#include <string.h>

#include "signatures/content/mime/parts.h"

#define NAME_WORD_MAX 255u

static int name_hex(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte = mime_lower(byte);
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* A decoded byte that could change how the rest of the field is read. */
static bool name_special(uint8_t byte)
{
    byte &= 0x7f;
    return byte < ' ' || byte == 0x7f || strchr("\";=()\\*?", byte) != NULL;
}

static bool name_q(const uint8_t *from, size_t length, uint8_t *to, size_t *to_length)
{
    size_t at = 0;

    *to_length = 0;
    while (at < length) {
        uint8_t byte = from[at++];

        if (byte == '=') {
            int high = at < length ? name_hex(from[at]) : -1;
            int low = at + 1 < length ? name_hex(from[at + 1]) : -1;

            if (high < 0 || low < 0)
                return false;
            byte = (uint8_t)(high << 4 | low);
            at += 2;
        }
        if (name_special(byte))
            return false;
        to[(*to_length)++] = byte;
    }
    return *to_length > 0;
}

static bool name_b(const uint8_t *from, size_t length, uint8_t *to, size_t *to_length)
{
    size_t padding = 0;
    uint32_t bits = 0;

    *to_length = 0;
    if (length == 0 || length % 4 != 0)
        return false;
    while (padding < 2 && from[length - 1 - padding] == '=')
        padding++;
    for (size_t i = 0; i < length; i++) {
        int value = i < length - padding ? mime_base64_value(from[i]) : 0;

        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        if (i % 4 == 3) {
            size_t count = i == length - 1 ? 3 - padding : 3;

            if ((count < 3 && (bits & (count == 2 ? 0xffu : 0xffffu)) != 0))
                return false;
            for (size_t j = 0; j < count; j++) {
                to[*to_length] = (uint8_t)(bits >> (16 - 8 * j));
                if (name_special(to[*to_length]))
                    return false;
                (*to_length)++;
            }
            bits = 0;
        }
    }
    return true;
}

/* One word at from[0..length), which starts with "=?"; returns the bytes it takes, 0 when it is not
 * canonical. `to` has NAME_WORD_MAX bytes. */
static size_t name_word(const uint8_t *from, size_t length, uint8_t *to, size_t *to_length)
{
    size_t at = 2;
    size_t start;
    uint8_t encoding;

    while (at < length && mime_is_token(from[at]))
        at++;
    if (at == 2 || at + 3 > length || from[at] != '?' || from[at + 2] != '?')
        return 0;
    encoding = mime_lower(from[at + 1]);
    at += 3;
    start = at;
    while (at < length && from[at] > ' ' && from[at] < 0x7f && from[at] != '?')
        at++;
    if (at + 2 > length || from[at] != '?' || from[at + 1] != '=' || at - start > NAME_WORD_MAX)
        return 0;
    if (encoding == 'q' ? !name_q(from + start, at - start, to, to_length)
                        : encoding != 'b' || !name_b(from + start, at - start, to, to_length))
        return 0;
    return at + 2;
}

bool mime_words_decode(uint8_t *value, size_t *length, bool *found)
{
    uint8_t word[NAME_WORD_MAX];
    bool canonical = true;
    size_t read = 0;
    size_t write = 0;

    *found = mime_contains(value, *length, "=?");
    if (!*found)
        return true;
    while (read < *length) {
        size_t word_length;
        size_t taken;

        if (read + 1 >= *length || value[read] != '=' || value[read + 1] != '?') {
            value[write++] = value[read++];
            continue;
        }
        taken = name_word(value + read, *length - read, word, &word_length);
        if (taken == 0) { /* stays as it is */
            canonical = false;
            value[write++] = value[read++];
            continue;
        }
        read += taken;
        memcpy(value + write, word, word_length); /* shorter than what it was made from */
        write += word_length;
    }
    *length = write;
    return canonical;
}

bool mime_extended_decode(const uint8_t *value, size_t length, uint8_t *to, uint8_t *to_length)
{
    unsigned quotes = 0;
    size_t written = 0;
    size_t at = 0;

    while (at < length && quotes < 2) {
        if (value[at] < ' ' || value[at] > '~')
            return false;
        quotes += value[at++] == '\'';
    }
    while (at < length) {
        uint8_t byte = value[at++];

        if (byte == '%') {
            int high = at < length ? name_hex(value[at]) : -1;
            int low = at + 1 < length ? name_hex(value[at + 1]) : -1;

            if (high < 0 || low < 0)
                return false;
            byte = (uint8_t)(high << 4 | low);
            at += 2;
        }
        if (byte < ' ' || byte == '"' || byte == 0x7f || written == MIME_NAME_MAX)
            return false;
        to[written++] = byte;
    }
    *to_length = (uint8_t)written;
    return quotes == 2 && written > 0;
}
