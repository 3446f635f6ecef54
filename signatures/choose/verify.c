#include "signatures/choose/verify.h"
#include "signatures/content/decode/squeeze.h"

#include <stdlib.h>
#include <string.h>

#define VERIFY_DEPTH_MAX 128u
#define VERIFY_BYTES_MAX (16u << 20)

static uint64_t verify_random(struct verifier *verifier)
{
    verifier->random ^= verifier->random << 13;
    verifier->random ^= verifier->random >> 7;
    verifier->random ^= verifier->random << 17;
    return verifier->random;
}

static bool verify_put(struct verify_bytes *to, uint8_t byte)
{
    if (to->length == to->room) {
        size_t room = to->room == 0 ? 4096 : to->room * 2;
        uint8_t *grown = room > VERIFY_BYTES_MAX ? NULL : realloc(to->bytes, room);

        if (grown == NULL)
            return false;
        to->bytes = grown;
        to->room = room;
    }
    to->bytes[to->length++] = byte;
    return true;
}

/* Something between two runs that no leaf may count on. */
static bool verify_gap(struct verifier *verifier)
{
    static const char gaps[] = "~|^`\\";
    uint8_t gap = (uint8_t)gaps[verify_random(verifier) % (sizeof(gaps) - 1)];

    return verify_put(&verifier->buffer, gap) && verify_put(&verifier->buffer, ' ') &&
           verify_put(&verifier->buffer, gap);
}

static bool verify_run_bytes(struct verifier *verifier, const struct expression *run)
{
    for (unsigned i = 0; i < run->length; i++) {
        const struct expression_byte *byte = &run->bytes[i];
        uint64_t random = verify_random(verifier);
        uint8_t value = (uint8_t)(byte->value | (random & ~byte->mask & 0xff));
        bool letter = (value >= 'a' && value <= 'z') || (value >= 'A' && value <= 'Z');

        if (byte->gap) {
            static const char white[] = " \t\r\n\v\f";

            for (uint64_t left = random % 4; left > 0; left--) {
                if (!verify_put(&verifier->buffer, (uint8_t)white[(random >> 8 * left) % 6]))
                    return false;
            }
            continue;
        }
        if (byte->caseless && byte->mask == 0xff && letter && (random & 0x100) != 0)
            value ^= 0x20;
        if (!verify_put(&verifier->buffer, value))
            return false;
    }
    return true;
}

/* Takes what stands behind `from` out of the buffer: it belongs to the beginning. The longest one
 * is kept; false when they differ where both have bytes. */
static bool verify_take_start(struct verifier *verifier, size_t from)
{
    struct verify_bytes *start = &verifier->start;
    const uint8_t *bytes = verifier->buffer.bytes + from;
    size_t length = verifier->buffer.length - from;

    for (size_t i = 0; i < length; i++) {
        if (i < start->length ? start->bytes[i] != bytes[i] : !verify_put(start, bytes[i]))
            return false;
    }
    verifier->buffer.length = from;
    return true;
}

static bool verify_run(struct verifier *verifier, const struct expression *run)
{
    size_t from = verifier->buffer.length;

    if (!verify_run_bytes(verifier, run))
        return false;
    return run->start ? verify_take_start(verifier, from) : verify_gap(verifier);
}

/* Puts the beginning there. */
static bool verify_place_start(struct verifier *verifier)
{
    struct verify_bytes *buffer = &verifier->buffer;
    size_t length = verifier->start.length;

    for (size_t i = 0; i < length; i++) {
        if (!verify_put(buffer, 0))
            return false;
    }
    if (length > 0) {
        memmove(buffer->bytes + length, buffer->bytes, buffer->length - length);
        memcpy(buffer->bytes, verifier->start.bytes, length);
    }
    return true;
}

static bool verify_formula(struct verifier *verifier, const struct expression *formula,
                           unsigned depth)
{
    if (depth > VERIFY_DEPTH_MAX)
        return false;
    switch (formula->kind) {
    case EXPRESSION_TRUE:
        return true;
    case EXPRESSION_RUN:
        return verify_run(verifier, formula);
    case EXPRESSION_AND:
        for (unsigned i = 0; i < formula->length; i++) {
            if (!verify_formula(verifier, formula->children[i], depth + 1))
                return false;
        }
        return true;
    case EXPRESSION_OR:
        break;
    }
    return formula->length > 0 &&
           verify_formula(verifier, formula->children[verify_random(verifier) % formula->length],
                          depth + 1);
}

bool verify_make(struct verifier *verifier, const struct expression *formula)
{
    verifier->buffer.length = 0;
    verifier->start.length = 0;
    return verify_gap(verifier) && verify_formula(verifier, formula, 0) &&
           verify_place_start(verifier);
}

/* Caseless: the leaf is lower case already. */
static bool verify_leaf_occurs(const struct draft_leaf *leaf, const struct verify_bytes *in)
{
    for (size_t from = 0; from + leaf->length <= in->length; from++) {
        unsigned same = 0;

        while (same < leaf->length) {
            uint8_t byte = in->bytes[from + same];

            if (leaf->caseless && byte >= 'A' && byte <= 'Z')
                byte = (uint8_t)(byte + ('a' - 'A'));
            if (byte != leaf->bytes[same])
                break;
            same++;
        }
        if (same == leaf->length)
            return true;
    }
    return false;
}

/* In text an exact leaf is found only where it has an odd byte and no white space. */
static bool verify_leaf(const struct verifier *verifier, const struct draft_leaf *leaf, bool text)
{
    bool odd = false;

    if (leaf->squeezed)
        return text && verify_leaf_occurs(leaf, &verifier->squeezed);
    for (unsigned i = 0; text && i < leaf->length; i++) {
        odd = odd || squeeze_is_odd(leaf->bytes[i]);
        if (squeeze_is_white(leaf->bytes[i]))
            return false;
    }
    return (odd || !text) && verify_leaf_occurs(leaf, &verifier->buffer);
}

static bool verify_group(const struct verifier *verifier, const struct choice_group *group,
                         bool text)
{
    for (unsigned i = 0; i < group->count; i++) {
        if (!verify_leaf(verifier, &group->leaves[i].leaf, text))
            return false;
    }
    return group->count > 0;
}

static bool verify_starts(const struct verifier *verifier, const struct choice *choice)
{
    for (unsigned i = 0; i < choice->start_count; i++) {
        const struct choice_start *start = &choice->starts[i];

        if (start->length <= verifier->buffer.length &&
            memcmp(start->bytes, verifier->buffer.bytes, start->length) == 0)
            return true;
    }
    return false;
}

static bool verify_squeeze(struct verifier *verifier)
{
    verifier->squeezed.length = 0;
    for (size_t i = 0; i < verifier->buffer.length; i++) {
        uint8_t left = squeeze_byte(verifier->buffer.bytes[i]);

        if (left != 0 && !verify_put(&verifier->squeezed, left))
            return false;
    }
    return true;
}

bool verify_choice(struct verifier *verifier, const struct expression *formula, bool text,
                   const struct choice *choice, unsigned tries)
{
    if (choice->always)
        return true;
    for (unsigned i = 0; i < tries; i++) {
        bool holds;

        if (!verify_make(verifier, formula) || !verify_squeeze(verifier))
            continue; /* this one cannot be */
        holds = verify_starts(verifier, choice);
        for (unsigned k = 0; k < choice->count && !holds; k++)
            holds = verify_group(verifier, &choice->groups[k], text);
        if (!holds)
            return false;
    }
    return true;
}

void verifier_free(struct verifier *verifier)
{
    free(verifier->buffer.bytes);
    free(verifier->squeezed.bytes);
    free(verifier->start.bytes);
    *verifier = (struct verifier){0};
}
