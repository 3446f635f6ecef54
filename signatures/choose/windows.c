#include "signatures/choose/windows.h"
#include "signatures/content/decode/squeeze.h"

#include <math.h>
#include <string.h>

#define WINDOWS_BITS_GOOD  40.0
#define WINDOWS_BITS_CAP   72.0 /* more is of no use */
#define WINDOWS_END        8u   /* bytes that Hyperscan looks at first */
#define WINDOWS_END_WEIGHT 0.25
/* A leaf for odd text is also met in binary parts: not so often that its hits cost much. */
#define WINDOWS_BINARY_BITS_MIN 20.0
#define WINDOWS_WORTHLESS       8.0

enum byte_kind {
    BYTE_NONE,  /* squeezed away */
    BYTE_ONE,   /* one symbol */
    BYTE_EITHER /* several: a fragment ends here */
};

static bool byte_letter(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

/* What squeezing leaves of every value of `byte`: the same for all, or BYTE_EITHER. A letter's
 * other case is squeezed to the same. */
static enum byte_kind byte_squeezed(const struct expression_byte *byte, uint8_t *symbol)
{
    bool first = true;

    *symbol = 0;
    if (byte->gap)
        return BYTE_NONE;
    *symbol = squeeze_byte(byte->value);
    for (unsigned value = 0; byte->mask != 0xff && value < 256; value++) {
        uint8_t left = squeeze_byte((uint8_t)value);

        if ((value & byte->mask) != byte->value)
            continue;
        if (!first && left != *symbol)
            return BYTE_EITHER;
        *symbol = left;
        first = false;
    }
    return *symbol == 0 ? BYTE_NONE : BYTE_ONE;
}

/* One value, or the two cases of a letter. */
static bool byte_exact(const struct expression_byte *byte, uint8_t *symbol, bool *caseless)
{
    *symbol = byte->value;
    *caseless = byte->caseless && byte_letter(byte->value);
    return byte->mask == 0xff && !byte->gap;
}

/* A segment of a run: a stretch without undecided bytes, in windows->symbols[0..length). */
struct segment {
    enum model_place place;
    bool squeezed;
    size_t length;
};

/* The best window so far. */
struct best {
    size_t from, to;
    double bits;
    double score;
    bool found;
};

/* Whether [from, to) may be a leaf of its segment. */
static bool window_allowed(const struct windows *windows, const struct segment *segment,
                           size_t from, size_t to)
{
    bool odd = false;

    if (segment->place != MODEL_ODD)
        return true;
    for (size_t i = from; i < to; i++)
        odd = odd || squeeze_is_odd(windows->symbols[i]);
    return odd && model_bits(&windows->binary_costs, from, to) >= WINDOWS_BINARY_BITS_MIN;
}

static void window_leaf(const struct windows *windows, const struct segment *segment, size_t from,
                        size_t to, struct draft_leaf *leaf)
{
    *leaf = (struct draft_leaf){.length = (uint8_t)(to - from), .squeezed = segment->squeezed};
    for (size_t i = from; i < to; i++)
        leaf->caseless = leaf->caseless || windows->caseless[i];
    for (size_t i = from; i < to; i++) {
        uint8_t byte = windows->symbols[i];

        /* One leaf for all spellings of the same. */
        if (leaf->caseless && byte >= 'A' && byte <= 'Z')
            byte = (uint8_t)(byte + ('a' - 'A'));
        leaf->bytes[i - from] = byte;
    }
}

/* What a corpus says of the window: at least the rate of what contains it. */
static double window_measured(const struct windows *windows, const struct draft_leaf *leaf)
{
    double rate = 0;

    for (size_t i = 0; i < windows->measured_count; i++) {
        const struct measured_leaf *known = &windows->measured[i];

        if (known->rate > rate && known->leaf.squeezed == leaf->squeezed &&
            memmem(known->leaf.bytes, known->leaf.length, leaf->bytes, leaf->length) != NULL)
            rate = known->rate;
    }
    return rate;
}

/* Of windows that are rare enough the one with the rarest end: Hyperscan looks at the last bytes of
 * a literal first. */
static double window_score(const struct windows *windows, size_t from, size_t to, double bits)
{
    size_t end = to - from > WINDOWS_END ? to - WINDOWS_END : from;

    return (bits < WINDOWS_BITS_CAP ? bits : WINDOWS_BITS_CAP) +
           WINDOWS_END_WEIGHT * model_bits(&windows->costs, end, to);
}

/* The bits of a window, less what a corpus knows better. */
static double window_bits(const struct windows *windows, const struct segment *segment, size_t from,
                          size_t to)
{
    double bits = model_bits(&windows->costs, from, to);
    struct draft_leaf leaf;
    double rate;

    if (windows->measured_count == 0)
        return bits;
    window_leaf(windows, segment, from, to, &leaf);
    rate = window_measured(windows, &leaf);
    return rate > model_rate(segment->place, bits)
               ? bits - log2(rate / model_rate(segment->place, bits))
               : bits;
}

/* Looks for a better window of at most `longest` symbols. */
static void segment_search(const struct windows *windows, const struct segment *segment,
                           size_t longest, struct best *best)
{
    for (size_t from = 0; from + CHOOSE_FRAGMENT_MIN <= segment->length; from++) {
        for (size_t to = from + 1; to <= segment->length && to - from <= longest; to++) {
            double bits, score;

            if (windows->taken[to - 1] || windows->taken[from])
                break;
            if (to - from < CHOOSE_FRAGMENT_MIN)
                continue;
            /* The model's bits are the most it can have. */
            score = window_score(windows, from, to, model_bits(&windows->costs, from, to));
            if ((best->found && score <= best->score) ||
                !window_allowed(windows, segment, from, to))
                continue;
            bits = window_bits(windows, segment, from, to);
            score = window_score(windows, from, to, bits);
            if (best->found && score <= best->score)
                continue;
            *best =
                (struct best){.from = from, .to = to, .bits = bits, .score = score, .found = true};
        }
    }
}

/* Adds a leaf to `found`, which stays ordered by rate and at most PREFILTER_GROUP_LEAVES long. */
static void found_add(struct choice_leaf *found, unsigned *count, const struct choice_leaf *leaf)
{
    unsigned at = *count;

    for (unsigned i = 0; i < *count; i++) {
        if (memcmp(&found[i].leaf, &leaf->leaf, sizeof(leaf->leaf)) == 0)
            return;
    }
    if (*count == PREFILTER_GROUP_LEAVES) {
        if (leaf->rate >= found[*count - 1].rate)
            return;
        at--;
    } else {
        (*count)++;
    }
    for (; at > 0 && found[at - 1].rate > leaf->rate; at--)
        found[at] = found[at - 1];
    found[at] = *leaf;
}

/* Adds the leaves of one segment: the best window, and more beside it while that is weak. */
static bool segment_leaves(struct windows *windows, const struct segment *segment,
                           struct choice_leaf *found, unsigned *count)
{
    double rate = 1;

    if (segment->length < CHOOSE_FRAGMENT_MIN)
        return true;
    if (!model_costs_set(&windows->costs, windows->model, segment->place, windows->symbols,
                         segment->length) ||
        (segment->place == MODEL_ODD &&
         !model_costs_set(&windows->binary_costs, windows->model, MODEL_BINARY, windows->symbols,
                          segment->length)))
        return false;
    memset(windows->taken, 0, segment->length);
    for (unsigned i = 0; i < PREFILTER_GROUP_LEAVES && rate > CHOOSE_RATE_GOOD; i++) {
        struct choice_leaf leaf;
        struct best best = {0};

        segment_search(windows, segment, CHOOSE_FRAGMENT_GOOD, &best);
        if (best.found && best.bits < WINDOWS_BITS_GOOD)
            segment_search(windows, segment, PREFILTER_FRAGMENT_MAX, &best);
        if (!best.found || best.bits < WINDOWS_WORTHLESS)
            break;
        window_leaf(windows, segment, best.from, best.to, &leaf.leaf);
        leaf.rate = model_rate(segment->place, best.bits);
        found_add(found, count, &leaf);
        memset(windows->taken + best.from, 1, best.to - best.from);
        rate *= leaf.rate;
    }
    return true;
}

static bool run_squeezed(struct windows *windows, const struct expression *run,
                         struct choice_leaf *found, unsigned *count)
{
    struct segment segment = {.place = MODEL_SQUEEZED, .squeezed = true};
    bool ok = true;

    memset(windows->caseless, 0, sizeof(windows->caseless));
    for (unsigned i = 0; ok && i < run->length && i < CHOOSE_RUN_MAX; i++) {
        uint8_t symbol;

        switch (byte_squeezed(&run->bytes[i], &symbol)) {
        case BYTE_NONE:
            break;
        case BYTE_ONE:
            windows->symbols[segment.length++] = symbol;
            break;
        case BYTE_EITHER:
            ok = segment_leaves(windows, &segment, found, count);
            segment.length = 0;
            break;
        }
    }
    return ok && segment_leaves(windows, &segment, found, count);
}

/* DEL is the one odd byte that libclamav's normalised text has: what is around it there need not be
 * around it in the text. */
static bool run_breaks(enum model_place place, uint8_t byte)
{
    return place == MODEL_ODD && (squeeze_is_white(byte) || byte == 0x7f);
}

/* `place`: MODEL_ODD breaks at white space and DEL, too, and wants an odd byte in each leaf. */
static bool run_exact(struct windows *windows, const struct expression *run, enum model_place place,
                      struct choice_leaf *found, unsigned *count)
{
    struct segment segment = {.place = place};
    bool ok = true;

    for (unsigned i = 0; ok && i < run->length && i < CHOOSE_RUN_MAX; i++) {
        size_t at = segment.length;

        if (byte_exact(&run->bytes[i], &windows->symbols[at], &windows->caseless[at]) &&
            !run_breaks(place, windows->symbols[at])) {
            segment.length++;
            continue;
        }
        ok = segment_leaves(windows, &segment, found, count);
        segment.length = 0;
    }
    return ok && segment_leaves(windows, &segment, found, count);
}

/* Keeps the first leaves whose common rate is good. */
static unsigned found_enough(const struct choice_leaf *found, unsigned count)
{
    double rate = 1;

    for (unsigned i = 0; i < count; i++) {
        rate *= found[i].rate;
        if (rate <= CHOOSE_RATE_GOOD)
            return i + 1;
    }
    return count;
}

bool windows_of_run(struct windows *windows, const struct expression *run, bool text,
                    struct choice_leaf *found, unsigned *count)
{
    *count = 0;
    if (text) {
        struct choice_leaf odd[PREFILTER_GROUP_LEAVES];
        unsigned odd_count = 0;

        if (!run_squeezed(windows, run, found, count) ||
            !run_exact(windows, run, MODEL_ODD, odd, &odd_count))
            return false;
        for (unsigned i = 0; i < odd_count; i++)
            found_add(found, count, &odd[i]);
    } else if (!run_exact(windows, run, MODEL_BINARY, found, count)) {
        return false;
    }
    *count = found_enough(found, *count);
    return true;
}
