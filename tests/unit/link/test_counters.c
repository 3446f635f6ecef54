/* The list of counters: whole, in order, and as docs/counters.md says it.
 *
 *   test_counters DOCUMENT           compares
 *   test_counters --write DOCUMENT   writes the document anew
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/counting.h"
#include "platform/link/counters.h"

#define DOCUMENT_BYTES 65536u

static const char *document;

static const char *const kinds[] = {
    [COUNTER_KIND_COUNTER] = "counter", [COUNTER_KIND_GAUGE] = "gauge"};
static const char *const overs[] = {
    [COUNTER_OVER_SUM] = "sum", [COUNTER_OVER_LEAST] = "least", [COUNTER_OVER_MOST] = "most"};

static void print_document(FILE *to)
{
    fputs(
        "# Counters\n\n"
        "What `postern status` shows, of all workers together and (`--json`) of each. Made from\n"
        "`platform/link/counter_list.h` by its test:\n"
        "`build/tests/unit/link/test_counters --write docs/counters.md`.\n\n"
        "A *counter* only rises, a *gauge* says what is now. *Over* says what the workers' values\n"
        "are together: their sum, or the least of them.\n\n"
        "| name | kind | unit | over | what |\n|---|---|---|---|---|\n",
        to);
    for (unsigned c = 0; c < COUNTER_COUNT; c++) {
        const struct counter_about *about = counter_about((enum counter)c);

        fprintf(to, "| `%s` | %s | %s | %s | %s |\n", about->name, kinds[about->kind], about->unit,
                overs[about->over], about->help);
    }
    fputs(
        "\n## Times\n\n"
        "Histograms, in seconds: each time is counted in the first bucket whose bound it does not\n"
        "pass; the bounds are 1, 2 and 5 times each power of ten from 1 ms to 500 s.\n\n"
        "| name | what |\n|---|---|\n",
        to);
    for (unsigned h = 0; h < HISTOGRAM_COUNT; h++)
        fprintf(to, "| `%s` | %s |\n", histogram_about((enum histogram)h)->name,
                histogram_about((enum histogram)h)->help);
    fputs("\n## Sums\n\n"
          "They hold for each worker, but for what it is about to count. What is missing from one\n"
          "is a bug. `NAME*` is every counter whose name begins so.\n\n"
          "| of | one side | the other |\n|---|---|---|\n",
          to);
    for (const struct counter_sum *sum = counter_sums; sum->what != NULL; sum++)
        fprintf(to, "| %s | `%s` | `%s` |\n", sum->what, sum->left, sum->right);
}

static void test_every_counter(void **state)
{
    (void)state;
    for (unsigned c = 0; c < COUNTER_COUNT; c++) {
        const struct counter_about *about = counter_about((enum counter)c);

        assert_non_null(about);
        assert_true(strlen(about->name) > 0 && strlen(about->unit) > 0 && strlen(about->help) > 0);
        assert_string_equal(about->name, counter_name((enum counter)c));
        assert_null(strchr(about->help, '|'));
        assert_null(strchr(about->help, '"'));
        /* What all see alike is no count. */
        assert_true(about->kind == COUNTER_KIND_GAUGE || about->over == COUNTER_OVER_SUM);
    }
    assert_null(counter_about(COUNTER_COUNT));
    assert_int_equal(counter_about(COUNTER_HALF_OPEN)->kind, COUNTER_KIND_GAUGE);
    assert_int_equal(counter_about(COUNTER_RX_PACKETS)->kind, COUNTER_KIND_COUNTER);
}

static void test_over_workers(void **state)
{
    (void)state;
    assert_int_equal(counter_over(COUNTER_RX_PACKETS, 3, 4), 7);
    assert_int_equal(counter_over(COUNTER_SCANNERS_READY, 3, 4), 3);
    assert_int_equal(counter_over(COUNTER_SCANNERS_READY, 4, 3), 3);
    assert_int_equal(counter_over(COUNTER_CONTROL_READY, 1, 0), 0);
    assert_int_equal(counter_over(COUNTER_BLOCKS_FREE, 10, 20), 30);
}

/* Each name in a sum is one of the list: a misspelt one would make a sum that means less. */
static void check_terms(const char *terms)
{
    char copy[512];
    char *left = NULL;

    assert_true(strlen(terms) < sizeof(copy));
    memcpy(copy, terms, strlen(terms) + 1);
    for (char *term = strtok_r(copy, " ", &left); term != NULL; term = strtok_r(NULL, " ", &left)) {
        unsigned matched = 0;

        for (unsigned c = 0; c < COUNTER_COUNT; c++)
            matched += counter_matches(term, (enum counter)c);
        if (matched == 0)
            fail_msg("no counter is %s", term);
    }
}

static void test_sums_name_counters(void **state)
{
    unsigned sums = 0;

    (void)state;
    for (const struct counter_sum *sum = counter_sums; sum->what != NULL; sum++) {
        check_terms(sum->left);
        check_terms(sum->right);
        for (unsigned c = 0; c < COUNTER_COUNT; c++)
            assert_false(counter_matches(sum->left, (enum counter)c) &&
                         counter_matches(sum->right, (enum counter)c));
        sums++;
    }
    assert_true(sums >= 5);
}

/* A new outcome of one of these kinds must be in the sum of its kind. */
static void test_every_outcome_is_in_a_sum(void **state)
{
    static const char outcomes[] = "frame_* tcp_in_* half_open* closed_* message_* prefilter_by_*";

    (void)state;
    for (unsigned c = 0; c < COUNTER_COUNT; c++) {
        unsigned in = 0;

        for (const struct counter_sum *sum = counter_sums; sum->what != NULL; sum++)
            in += counter_matches(sum->left, (enum counter)c) +
                  counter_matches(sum->right, (enum counter)c);
        if (counter_matches(outcomes, (enum counter)c) && in != 1)
            fail_msg("%s is in %u sums", counter_name((enum counter)c), in);
    }
}

static void test_totals(void **state)
{
    uint64_t values[COUNTER_COUNT] = {0};

    (void)state;
    values[COUNTER_HALF_OPEN] = 1;
    values[COUNTER_HALF_OPEN_RESET] = 10;
    values[COUNTER_HALF_OPEN_EXPIRED] = 100;
    values[COUNTER_RX_PACKETS] = 1000;
    assert_int_equal(counter_total("half_open", values), 1);
    assert_int_equal(counter_total("half_open_*", values), 110);
    assert_int_equal(counter_total("half_open*", values), 111);
    assert_int_equal(counter_total("rx_packets half_open half_open_reset", values), 1011);
    assert_int_equal(counter_total("rx_packet", values), 0);
    assert_int_equal(counter_total("", values), 0);
}

static void test_buckets(void **state)
{
    (void)state;
    assert_int_equal(histogram_bucket(-1), 0);
    assert_int_equal(histogram_bucket(0), 0);
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
        assert_true(i == 0 || histogram_bounds_ns[i] > histogram_bounds_ns[i - 1]);
        assert_int_equal(histogram_bucket(histogram_bounds_ns[i]), i);
        assert_int_equal(histogram_bucket(histogram_bounds_ns[i] + 1), i + 1);
    }
    assert_int_equal(histogram_bucket(INT64_MAX), HISTOGRAM_BUCKETS - 1);
    assert_null(histogram_about(HISTOGRAM_COUNT));
    assert_string_equal(histogram_about(HISTOGRAM_VERDICT_TIME)->name, "verdict_time");
}

static struct counting counting;

/* Nothing is to be seen before it is published; the busy publish seldom, who goes idle at once. */
static void test_publishing(void **state)
{
    static struct region_counters published;
    int64_t now_ns = CLOCK_NS_PER_SECOND;

    (void)state;
    counting = (struct counting){.published = &published};
    count(&counting.row, COUNTER_RX_PACKETS);
    count_time(&counting.row, HISTOGRAM_REPLY_TIME, 3 * CLOCK_NS_PER_MS);
    count_set(&counting.row, COUNTER_BLOCKS_FREE, 7);
    assert_int_equal(published.value[COUNTER_RX_PACKETS], 0);
    counting_round(&counting, true, now_ns);
    assert_int_equal(published.value[COUNTER_RX_PACKETS], 1);
    assert_int_equal(published.value[COUNTER_BLOCKS_FREE], 7);
    assert_int_equal(published.times[HISTOGRAM_REPLY_TIME].count[2], 1);
    assert_int_equal(published.times[HISTOGRAM_REPLY_TIME].sum_ns, 3 * CLOCK_NS_PER_MS);
    count_add(&counting.row, COUNTER_RX_PACKETS, 4);
    counting_round(&counting, true, now_ns + COUNTING_EVERY_NS - 1);
    assert_int_equal(published.value[COUNTER_RX_PACKETS], 1);
    counting_round(&counting, true, now_ns + COUNTING_EVERY_NS);
    assert_int_equal(published.value[COUNTER_RX_PACKETS], 5);
    count(&counting.row, COUNTER_RX_PACKETS);
    counting_round(&counting, true, now_ns + COUNTING_EVERY_NS + 1);
    assert_int_equal(published.value[COUNTER_RX_PACKETS], 5);
    counting_round(&counting, false, now_ns + COUNTING_EVERY_NS + 2);
    assert_int_equal(published.value[COUNTER_RX_PACKETS], 6);
}

static void test_document(void **state)
{
    static char text[DOCUMENT_BYTES];
    char *expected = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&expected, &size);
    FILE *file = fopen(document, "re");
    size_t length;

    (void)state;
    assert_non_null(memory);
    assert_non_null(file);
    print_document(memory);
    assert_int_equal(fclose(memory), 0);
    length = fread(text, 1, sizeof(text) - 1, file);
    assert_int_equal(fclose(file), 0);
    text[length] = '\0';
    if (strcmp(text, expected) != 0)
        fail_msg("%s is not what the list says; write it anew with --write", document);
    free(expected);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_counter),
        cmocka_unit_test(test_over_workers),
        cmocka_unit_test(test_sums_name_counters),
        cmocka_unit_test(test_every_outcome_is_in_a_sum),
        cmocka_unit_test(test_totals),
        cmocka_unit_test(test_buckets),
        cmocka_unit_test(test_publishing),
        cmocka_unit_test(test_document),
    };

    if (argc == 3 && strcmp(argv[1], "--write") == 0) {
        FILE *file = fopen(argv[2], "we");

        if (file == NULL)
            return 1;
        print_document(file);
        return fclose(file) == 0 ? 0 : 1;
    }
    if (argc != 2)
        return 2;
    document = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
