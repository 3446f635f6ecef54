/* oracle_html: compares until the time is over or a difference is found.
 *
 *   oracle_html --seconds N [--seed S] [--cases N] [--case N] [--seeds FILE]
 *
 * Exit code: 0 no difference, 1 a difference (printed small, in hex), 2 wrong usage.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "platform/check.h"
#include "signatures/content/html/html.h"
#include "tests/oracle/html/oracle.h"

struct counts {
    uint64_t cases;
    uint64_t bytes;
    uint64_t gated[HTML_GATE_COUNT];
};

static struct html_normaliser normaliser;

void forms_clear(struct forms *forms)
{
    forms->nocomment.length = 0;
    forms->notags.length = 0;
    forms->more = false;
}

void forms_free(struct forms *forms)
{
    bytes_free(&forms->nocomment);
    bytes_free(&forms->notags);
}

static void take_nocomment(void *context, const uint8_t *bytes, size_t length)
{
    bytes_add(&((struct forms *)context)->nocomment, bytes, length);
}

static void take_notags(void *context, const uint8_t *bytes, size_t length)
{
    bytes_add(&((struct forms *)context)->notags, bytes, length);
}

/* In one piece when `random` is null. */
static enum html_gate ours(struct forms *forms, const struct bytes *input, struct random *random)
{
    struct html_sink sink = {forms, take_nocomment, take_notags};
    uint32_t piece =
        random == NULL ? 0 : 1 + random_below(random, random_below(random, 2) != 0 ? 9000 : 40);

    forms_clear(forms);
    html_begin(&normaliser, &sink);
    for (size_t at = 0; at < input->length;) {
        size_t length = input->length - at;

        if (random != NULL && length > piece)
            length = 1 + random_below(random, piece);
        html_feed(&normaliser, input->at + at, length);
        at += length;
    }
    html_end(&normaliser);
    return normaliser.gate;
}

static bool same(const struct bytes *one, const struct bytes *other)
{
    return one->length == other->length &&
           (one->length == 0 || memcmp(one->at, other->at, one->length) == 0);
}

enum difference { SAME, GATED, NOCOMMENT, NOTAGS, MORE };

static enum difference compare(const struct bytes *input, struct random *random, bool map,
                               enum html_gate *gate)
{
    static struct forms made;
    static struct forms wanted;

    *gate = ours(&made, input, random);
    if (*gate != HTML_GATE_NONE)
        return GATED;
    library_normalise(&wanted, input->at, input->length, map);
    if (wanted.more)
        return MORE;
    if (!same(&made.nocomment, &wanted.nocomment))
        return NOCOMMENT;
    return same(&made.notags, &wanted.notags) ? SAME : NOTAGS;
}

static bool differs(const struct bytes *input, const struct random *random, bool map)
{
    struct random copy = *random;
    enum html_gate gate;

    return compare(input, &copy, map, &gate) > GATED;
}

/* Takes away what is not needed for the difference. */
static void shrink(struct bytes *input, const struct random *random, bool map)
{
    for (size_t size = input->length / 2 + 1; size > 0; size /= 2) {
        for (size_t at = 0; at + size <= input->length;) {
            struct bytes less = {0};

            bytes_add(&less, input->at, at);
            bytes_add(&less, input->at + at + size, input->length - at - size);
            if (differs(&less, random, map)) {
                bytes_free(input);
                *input = less;
            } else {
                bytes_free(&less);
                at += size;
            }
        }
    }
}

static void print_hex(const char *name, const struct bytes *bytes)
{
    printf("%s (%zu bytes): ", name, bytes->length);
    for (size_t i = 0; i < bytes->length; i++)
        printf("%02x", bytes->at[i]);
    printf("\n%s as text: ", name);
    for (size_t i = 0; i < bytes->length; i++)
        putchar(bytes->at[i] >= 0x20 && bytes->at[i] < 0x7f ? bytes->at[i] : '.');
    printf("\n");
}

static void report(struct bytes *input, const struct random *random, bool map, uint64_t seed,
                   uint64_t number)
{
    struct forms forms = {0};
    struct random copy = *random;

    shrink(input, random, map);
    printf("oracle_html: DIFFERENCE in case %llu of seed %llu, from %s\n",
           (unsigned long long)number, (unsigned long long)seed, map ? "a map" : "memory");
    print_hex("input", input);
    (void)ours(&forms, input, &copy);
    print_hex("our nocomment", &forms.nocomment);
    print_hex("our notags", &forms.notags);
    library_normalise(&forms, input->at, input->length, map);
    print_hex("its nocomment", &forms.nocomment);
    print_hex("its notags", &forms.notags);
    if (forms.more)
        printf("and it made other files\n");
    forms_free(&forms);
}

/* Returns true when the case shows a difference. */
static bool run_case(const struct seeds *seeds, uint64_t seed, uint64_t number,
                     struct counts *counts)
{
    static struct bytes input;
    struct random random = {seed * 0x9e3779b97f4a7c15u ^ number};
    struct random pieces;
    bool map;
    enum html_gate gate;
    enum difference difference;

    if (number < seeds->count) {
        input.length = 0;
        bytes_add(&input, seeds->list[number].at, seeds->list[number].length);
    } else {
        case_make(&input, seeds, &random);
    }
    map = random_below(&random, 4) == 0;
    pieces = random;
    difference = compare(&input, &random, map, &gate);
    counts->cases++;
    counts->bytes += input.length;
    counts->gated[gate]++;
    if (difference <= GATED)
        return false;
    report(&input, &pieces, map, seed, number);
    return true;
}

static void print_counts(const struct counts *counts, const char *what)
{
    printf("oracle_html: %s: %llu cases, %llu bytes, same %llu", what,
           (unsigned long long)counts->cases, (unsigned long long)counts->bytes,
           (unsigned long long)counts->gated[HTML_GATE_NONE]);
    for (unsigned gate = 1; gate < HTML_GATE_COUNT; gate++)
        printf(", %s %llu", html_gate_text(gate), (unsigned long long)counts->gated[gate]);
    printf("\n");
}

int main(int argc, char **argv)
{
    struct seeds seeds = {0};
    struct counts counts = {0};
    uint64_t seed = 1;
    uint64_t cases = UINT64_MAX;
    uint64_t only = UINT64_MAX;
    time_t end = time(NULL) + 20;
    bool differ = false;

    for (int i = 1; i + 1 < argc; i += 2) {
        uint64_t value = strtoull(argv[i + 1], NULL, 10);

        if (strcmp(argv[i], "--seconds") == 0)
            end = time(NULL) + (time_t)value;
        else if (strcmp(argv[i], "--seed") == 0)
            seed = value;
        else if (strcmp(argv[i], "--cases") == 0)
            cases = value;
        else if (strcmp(argv[i], "--case") == 0)
            only = value;
        else if (strcmp(argv[i], "--seeds") == 0)
            seeds_load(&seeds, argv[i + 1]);
        else
            return 2;
    }
    if (argc % 2 == 0)
        return 2;
    library_open();
    if (only != UINT64_MAX)
        differ = run_case(&seeds, seed, only, &counts);
    for (uint64_t i = 0; only == UINT64_MAX && i < cases && !differ && time(NULL) < end; i++) {
        differ = run_case(&seeds, seed, i, &counts);
        if (i + 1 == seeds.count)
            print_counts(&counts, "seeds");
    }
    print_counts(&counts, "in all");
    library_close();
    seeds_free(&seeds);
    return differ ? 1 : 0;
}
