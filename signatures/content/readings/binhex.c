/* Files in BinHex 4.0 (RFC 1741), wherever they stand in a text: a line that begins with ':', up to
 * the next one or to what is no letter of it. */
#include <stdlib.h>
#include <string.h>

#include "signatures/content/readings/ways.h"

#define BINHEX_RUN        0x90u
#define BINHEX_HEADER     22u /* bytes of it, besides the name's */
#define BINHEX_FORK_BYTES 10u /* of these up to the lengths of the forks */
#define BINHEX_CHECK      2u

struct binhex {
    uint8_t *bytes; /* null while they are counted only */
    size_t made;
    uint8_t last;
    bool run; /* BINHEX_RUN seen: how often comes next */
};

static int binhex_value(uint8_t byte)
{
    static const char letters[] =
        "!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr";
    const char *at = byte != 0 ? strchr(letters, byte) : NULL;

    return at != NULL ? (int)(at - letters) : -1;
}

static void binhex_put(struct binhex *file, uint8_t byte, size_t count)
{
    if (file->bytes != NULL)
        memset(file->bytes + file->made, byte, count);
    file->made += count;
    file->last = byte;
}

static void binhex_byte(struct binhex *file, uint8_t byte)
{
    if (!file->run && byte == BINHEX_RUN) {
        file->run = true;
    } else if (!file->run) {
        binhex_put(file, byte, 1);
    } else {
        file->run = false;
        if (byte == 0)
            binhex_put(file, BINHEX_RUN, 1);
        else
            binhex_put(file, file->last, byte - 1u);
    }
}

/* From behind ':' on; returns where it ends. `bytes` null: counts. */
static const uint8_t *binhex_go(const uint8_t *at, const uint8_t *end, uint8_t *bytes, size_t *made)
{
    struct binhex file = {.bytes = bytes};
    uint32_t bits = 0;
    unsigned count = 0;

    for (; at < end; at++) {
        int value = binhex_value(*at);

        if (value < 0 && ways_white(*at))
            continue;
        if (value < 0)
            break;
        bits = bits << 6 | (uint32_t)value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            binhex_byte(&file, (uint8_t)(bits >> count));
        }
    }
    *made = file.made;
    return at;
}

static size_t binhex_number(const uint8_t *at)
{
    return (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
}

/* Both forks, as much of them as there is. */
static bool binhex_forks(const uint8_t *bytes, size_t length, variants_take_named *take,
                         void *context)
{
    char name[READINGS_NAME_BYTES];
    size_t name_length = length > 0 ? bytes[0] : 0;
    const uint8_t *header = bytes + name_length;
    size_t forks[2];
    size_t at = name_length + BINHEX_HEADER;

    if (name_length == 0 || length < at)
        return true;
    for (size_t i = 0; i < name_length; i++)
        name[i] = bytes[1 + i] != 0 ? (char)bytes[1 + i] : '_';
    name[name_length] = '\0';
    forks[0] = binhex_number(header + 2 + BINHEX_FORK_BYTES);
    forks[1] = binhex_number(header + 2 + BINHEX_FORK_BYTES + 4);
    for (unsigned i = 0; i < 2 && at < length; i++) {
        size_t size = forks[i] < length - at ? forks[i] : length - at;

        if (size > 0 && !take(context, bytes + at, size, name))
            return false;
        at += size + BINHEX_CHECK;
    }
    return true;
}

static bool binhex_file(const uint8_t **at, const uint8_t *end, variants_take_named *take,
                        void *context)
{
    const uint8_t *from = *at;
    size_t made;
    uint8_t *bytes;
    bool more;

    *at = binhex_go(from, end, NULL, &made);
    if (made < BINHEX_HEADER)
        return true;
    if (made > VARIANTS_RUNS_MAX + (size_t)(*at - from))
        return false;
    bytes = malloc(made);
    if (bytes == NULL)
        return false;
    (void)binhex_go(from, end, bytes, &made);
    more = binhex_forks(bytes, made, take, context);
    free(bytes);
    return more;
}

bool variants_binhex(const uint8_t *text, size_t length, variants_take_named *take, void *context)
{
    const uint8_t *at = text;
    const uint8_t *end = text + length;

    while (at < end) {
        const uint8_t *colon = memchr(at, ':', (size_t)(end - at));

        if (colon == NULL)
            return true;
        at = colon + 1;
        if ((colon == text || ways_line_end(colon[-1])) && !binhex_file(&at, end, take, context))
            return false;
    }
    return true;
}
