/* variants_print: what variants.h makes of bodies, for readers_test.py to compare with what mail
 * readers make of them.
 *
 * In: a letter (b: base64, q: quoted-printable, u: uuencode, t: text), the length (4 bytes, the
 * lowest first), the body; again and again. Out, for each: the number of variants, and of each its
 * length and bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/check.h"
#include "signatures/content/readings/variants.h"

#define PRINT_BODY_MAX (8u << 20)

struct print_list {
    uint8_t *bytes;
    size_t length;
    uint32_t count;
};

static void print_number(uint8_t to[4], size_t number)
{
    for (unsigned i = 0; i < 4; i++)
        to[i] = (uint8_t)(number >> (8 * i));
}

static bool print_take(void *context, const uint8_t *bytes, size_t length)
{
    struct print_list *list = context;
    uint8_t *grown = realloc(list->bytes, list->length + 4 + length);

    CHECK(grown != NULL);
    print_number(grown + list->length, length);
    memcpy(grown + list->length + 4, bytes, length);
    list->bytes = grown;
    list->length += 4 + length;
    list->count++;
    return true;
}

static bool print_take_named(void *context, const uint8_t *bytes, size_t length, const char *name)
{
    (void)name;
    return print_take(context, bytes, length);
}

static bool print_variants(int letter, const uint8_t *body, size_t length, struct print_list *list)
{
    switch (letter) {
    case 'b':
        return variants_base64(body, length, print_take, list);
    case 'q':
        return variants_quoted_printable(body, length, print_take, list);
    case 'u':
        return variants_uuencode(body, length, print_take_named, list);
    case 't':
        return variants_text(body, length, print_take, list);
    default:
        return false;
    }
}

static bool print_one(int letter)
{
    struct print_list list = {0};
    uint8_t number[4];
    size_t length;
    uint8_t *body;
    bool right;

    if (fread(number, sizeof(number), 1, stdin) != 1)
        return false;
    length = (size_t)number[0] | (size_t)number[1] << 8 | (size_t)number[2] << 16 |
             (size_t)number[3] << 24;
    body = length <= PRINT_BODY_MAX ? malloc(length + 1) : NULL;
    right = body != NULL && fread(body, 1, length, stdin) == length &&
            print_variants(letter, body, length, &list);
    print_number(number, list.count);
    right = right && fwrite(number, sizeof(number), 1, stdout) == 1 &&
            fwrite(list.bytes, 1, list.length, stdout) == list.length && fflush(stdout) == 0;
    free(list.bytes);
    free(body);
    return right;
}

int main(void)
{
    int letter;

    while ((letter = getchar()) != EOF) {
        if (!print_one(letter))
            return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
