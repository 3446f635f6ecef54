#include "signatures/choose/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "signatures/choose/sample.h"
#include "signatures/content/decode/squeeze.h"

#define MODEL_GRAM_MAX     (MODEL_CONTEXT_MAX + 1)
#define MODEL_DIRECT_MAX   3u /* longer grams are hashed */
#define MODEL_SYMBOL_BITS  7u
#define MODEL_SYMBOLS      68.0 /* what squeezing leaves */
#define MODEL_SMOOTHING    4.0  /* how much the shorter context counts */
#define MODEL_SMALL_BITS   20u
#define MODEL_LARGE_BITS   23u
#define MODEL_IMPOSSIBLE   64.0f
#define MODEL_BASE64_SHARE 1.5f /* bits: how much of mail is base64 */
#define MODEL_WORD_BASE    1.5  /* a letter behind a letter: there are more words than we know */
#define MODEL_WORD_SHARE   0.4
#define MODEL_REPEATED     1.5 /* bits of a symbol that repeats what was two before */

/* Positions searched in a typical message, as a power of two. */
static const double model_positions[MODEL_PLACES] = {14, 12, 17};

struct model {
    uint32_t *counts[MODEL_GRAM_MAX + 1]; /* by length of the gram */
    uint64_t masks[MODEL_GRAM_MAX + 1];
    uint64_t total;
};

struct model *model_create(bool large)
{
    struct model *model = calloc(1, sizeof(*model));
    uint8_t text[SAMPLE_TEXT_MAX + SQUEEZE_SLACK];

    if (model == NULL)
        return NULL;
    for (unsigned n = 1; n <= MODEL_GRAM_MAX; n++) {
        unsigned bits = n <= MODEL_DIRECT_MAX ? n * MODEL_SYMBOL_BITS
                        : large               ? MODEL_LARGE_BITS
                                              : MODEL_SMALL_BITS;

        model->counts[n] = calloc((size_t)1 << bits, sizeof(*model->counts[n]));
        model->masks[n] = ((uint64_t)1 << bits) - 1;
        if (model->counts[n] == NULL) {
            model_destroy(model);
            return NULL;
        }
    }
    for (size_t i = 0; sample_texts[i] != NULL; i++) {
        size_t length = strnlen(sample_texts[i], SAMPLE_TEXT_MAX);
        bool odd = false;

        length = squeeze((const uint8_t *)sample_texts[i], length, text, &odd);
        model_learn(model, text, length);
    }
    return model;
}

void model_destroy(struct model *model)
{
    if (model == NULL)
        return;
    for (unsigned n = 1; n <= MODEL_GRAM_MAX; n++)
        free(model->counts[n]);
    free(model);
}

/* Two places of a hashed gram; the smaller count is nearer the truth. */
static void model_slots(const struct model *model, unsigned n, uint64_t gram, uint64_t slots[2])
{
    uint64_t mixed = gram * UINT64_C(0x9e3779b97f4a7c15);

    if (n <= MODEL_DIRECT_MAX) {
        slots[0] = slots[1] = gram;
        return;
    }
    mixed ^= mixed >> 29;
    slots[0] = mixed & model->masks[n];
    slots[1] = (mixed * UINT64_C(0xbf58476d1ce4e5b9) >> 32) & model->masks[n];
}

static uint32_t model_count(const struct model *model, unsigned n, uint64_t gram)
{
    uint64_t slots[2];
    uint32_t first, second;

    model_slots(model, n, gram, slots);
    first = model->counts[n][slots[0]];
    second = model->counts[n][slots[1]];
    return first < second ? first : second;
}

static void model_add(struct model *model, unsigned n, uint64_t gram)
{
    uint64_t slots[2];

    model_slots(model, n, gram, slots);
    for (unsigned i = 0; i < (slots[0] == slots[1] ? 1u : 2u); i++) {
        if (model->counts[n][slots[i]] < UINT32_MAX)
            model->counts[n][slots[i]]++;
    }
}

static uint64_t model_gram_mask(unsigned n)
{
    return ((uint64_t)1 << (n * MODEL_SYMBOL_BITS)) - 1;
}

void model_learn(struct model *model, const uint8_t *squeezed, size_t length)
{
    uint64_t window = 0;

    for (size_t i = 0; i < length; i++) {
        window = window << MODEL_SYMBOL_BITS | (squeezed[i] & 0x7fu);
        for (unsigned n = 1; n <= MODEL_GRAM_MAX && n <= i + 1; n++)
            model_add(model, n, window & model_gram_mask(n));
    }
    model->total += length;
}

/* The cost of the last symbol of `window` when 0, 1, ... `known` symbols before it are known. */
static void model_text_costs(const struct model *model, uint64_t window, unsigned known,
                             double *costs)
{
    double chance = 1 / MODEL_SYMBOLS;

    for (unsigned k = 0; k <= known; k++) {
        uint64_t gram = window & model_gram_mask(k + 1);
        double with = model_count(model, k + 1, gram);
        double context =
            k == 0 ? (double)model->total : model_count(model, k, gram >> MODEL_SYMBOL_BITS);

        if (context > 0)
            chance = ((with < context ? with : context) + MODEL_SMOOTHING * chance) /
                     (context + MODEL_SMOOTHING);
        costs[k] = -log2(chance);
    }
}

static bool model_letter(uint8_t symbol)
{
    return symbol >= 'a' && symbol <= 'z';
}

/* What the counts cannot know: a word that was never met is still a word, and a pattern of one or
 * two symbols goes on. */
static double model_tempered(const uint8_t *symbols, size_t i, double cost)
{
    if (i >= 3 && symbols[i] == symbols[i - 2] && symbols[i - 1] == symbols[i - 3])
        return cost < MODEL_REPEATED ? cost : MODEL_REPEATED;
    if (i >= 1 && model_letter(symbols[i]) && model_letter(symbols[i - 1])) {
        double word = MODEL_WORD_BASE + MODEL_WORD_SHARE * cost;

        return cost < word ? cost : word;
    }
    return cost;
}

/* Lower case only is left of letters: two of 64 values are a letter, one is a digit. */
static float model_base64_cost(uint8_t symbol)
{
    if (symbol >= 'a' && symbol <= 'z')
        return 5;
    if ((symbol >= '0' && symbol <= '9') || symbol == '+' || symbol == '/')
        return 6;
    return MODEL_IMPOSSIBLE;
}

/* A byte of a program, an image or a document; much of them is zeros and repetition. */
static float model_binary_cost(const uint8_t *bytes, size_t i, bool context)
{
    uint8_t byte = bytes[i];

    if (context && bytes[i - 1] == byte)
        return byte == 0 ? 0.5f : 2;
    if (byte == 0)
        return 3;
    if (byte == 0xff || byte == ' ')
        return 5;
    if ((byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9'))
        return 6;
    return 7.5f;
}

static float model_odd_cost(const uint8_t *bytes, size_t i, bool context)
{
    uint8_t byte = bytes[i];

    if (byte == 0)
        return 20; /* text has none, or is sent on */
    if (!squeeze_is_odd(byte))
        return 4.5f;
    if (byte < 0x80)
        return 14;
    return context && bytes[i - 1] >= 0x80 ? 5 : 9;
}

static bool costs_reserve(struct model_costs *costs, size_t length)
{
    float *edge;
    double *inner, *other;

    if (length < costs->room)
        return true;
    edge = reallocarray(costs->edge, (length + 1) * MODEL_CONTEXT_MAX, sizeof(*edge));
    if (edge != NULL)
        costs->edge = edge;
    inner = reallocarray(costs->inner, length + 1, sizeof(*inner));
    if (inner != NULL)
        costs->inner = inner;
    other = reallocarray(costs->other, length + 1, sizeof(*other));
    if (other != NULL)
        costs->other = other;
    if (edge == NULL || inner == NULL || other == NULL)
        return false;
    costs->room = length + 1;
    return true;
}

/* The costs of position i: `by_context` as far as known, and the other view's. */
static float costs_at(const struct model_costs *costs, size_t i, uint64_t *window,
                      double *by_context)
{
    unsigned known = i < MODEL_CONTEXT_MAX ? (unsigned)i : MODEL_CONTEXT_MAX;
    double text[MODEL_CONTEXT_MAX + 1];
    uint8_t byte = costs->symbols[i];

    if (costs->place == MODEL_SQUEEZED) {
        *window = *window << MODEL_SYMBOL_BITS | (byte & 0x7fu);
        model_text_costs(costs->model, *window, known, by_context);
        for (unsigned k = 1; k <= known; k++)
            by_context[k] = model_tempered(costs->symbols, i, by_context[k]);
        return model_base64_cost(byte);
    }
    for (unsigned k = 0; k <= known; k++)
        by_context[k] = costs->place == MODEL_ODD ? model_odd_cost(costs->symbols, i, k > 0)
                                                  : model_binary_cost(costs->symbols, i, k > 0);
    if (squeeze_is_odd(byte) || costs->place == MODEL_ODD)
        return MODEL_IMPOSSIBLE;
    if (squeeze_byte(byte) == 0)
        return 1;
    *window = *window << MODEL_SYMBOL_BITS | squeeze_byte(byte);
    model_text_costs(costs->model, *window, known, text);
    return (float)text[known];
}

bool model_costs_set(struct model_costs *costs, const struct model *model, enum model_place place,
                     const uint8_t *symbols, size_t length)
{
    double by_context[MODEL_CONTEXT_MAX + 1];
    uint64_t window = 0;

    if (!costs_reserve(costs, length))
        return false;
    costs->model = model;
    costs->place = place;
    costs->symbols = symbols;
    costs->length = length;
    costs->inner[0] = costs->other[0] = 0;
    for (size_t i = 0; i < length; i++) {
        unsigned known = i < MODEL_CONTEXT_MAX ? (unsigned)i : MODEL_CONTEXT_MAX;
        float other = costs_at(costs, i, &window, by_context);

        for (unsigned k = 0; k < MODEL_CONTEXT_MAX; k++)
            costs->edge[i * MODEL_CONTEXT_MAX + k] = (float)by_context[k < known ? k : known];
        costs->inner[i + 1] = costs->inner[i] + by_context[known];
        costs->other[i + 1] = costs->other[i] + other;
    }
    return true;
}

void model_costs_free(struct model_costs *costs)
{
    free(costs->edge);
    free(costs->inner);
    free(costs->other);
    *costs = (struct model_costs){0};
}

double model_bits(const struct model_costs *costs, size_t from, size_t to)
{
    size_t inner = from + MODEL_CONTEXT_MAX < to ? from + MODEL_CONTEXT_MAX : to;
    double bits = costs->inner[to] - costs->inner[inner];
    double other = MODEL_BASE64_SHARE + costs->other[to] - costs->other[from];

    for (size_t i = from; i < inner; i++)
        bits += costs->edge[i * MODEL_CONTEXT_MAX + (i - from)];
    return bits < other ? bits : other;
}

double model_rate(enum model_place place, double bits)
{
    double rate = exp2(model_positions[place] - bits);

    return rate < 1 ? rate : 1;
}
