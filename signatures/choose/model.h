/* model.h: how rare is a fragment in mail?
 *
 * A guess, in bits: -log2 of the chance that a fragment begins at a given place. It only decides
 * which of several sound fragments is used, never whether one is sound. Squeezed text is judged by
 * n-grams (up to 6), counted over a sample of what mail is full of (sample.c: header fields,
 * phrases, HTML) and over the corpus if there is one; fragments that could be base64 are judged as
 * such, too. Bytes outside of text are judged by rules of thumb.
 *
 * Threads: one model, one thread. Memory: some 20 MiB, 100 MiB for a corpus.
 */
#ifndef SIGNATURES_CHOOSE_MODEL_H
#define SIGNATURES_CHOOSE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_CONTEXT_MAX 5u /* symbols before one that its cost may depend on */

/* Where a fragment would be found. */
enum model_place {
    MODEL_SQUEEZED, /* in squeezed text; the fragment is squeezed */
    MODEL_ODD,      /* in text, as it is */
    MODEL_BINARY,   /* in images and other binary parts */
    MODEL_PLACES
};

struct model;

/* Knows the sample. `large`: room for a corpus. Null: no memory. */
struct model *model_create(bool large);
void model_destroy(struct model *model);

/* Counts one text (squeezed) more. */
void model_learn(struct model *model, const uint8_t *squeezed, size_t length);

/* The costs of a sequence's symbols, for windows of it. */
struct model_costs {
    const struct model *model;
    enum model_place place;
    const uint8_t *symbols;
    size_t length;
    float *edge;   /* [position * MODEL_CONTEXT_MAX + symbols known before] */
    double *inner; /* sums of the costs with the whole context, [0..length] */
    double *other; /* sums as base64 (squeezed), or as text (binary), [0..length] */
    size_t room;
};

/* Prepares `costs` (zeroes before the first use) for a sequence, which is borrowed. False: no
 * memory. */
bool model_costs_set(struct model_costs *costs, const struct model *model, enum model_place place,
                     const uint8_t *symbols, size_t length);
void model_costs_free(struct model_costs *costs);

/* The bits of the window [from, to). */
double model_bits(const struct model_costs *costs, size_t from, size_t to);

/* The chance that something so rare occurs in one message that is searched there. */
double model_rate(enum model_place place, double bits);

#endif
