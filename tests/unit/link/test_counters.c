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

static void print_set(FILE *to, const char *title, enum row_kind kind)
{
    const struct counter_set *set = counter_set(kind);

    fprintf(to,
            "\n## %s\n\n"
            "| name | kind | unit | over | what |\n|---|---|---|---|---|\n",
            title);
    for (unsigned c = 0; c < set->count; c++) {
        const struct counter_about *about = &set->abouts[c];

        fprintf(to, "| `%s` | %s | %s | %s | %s |\n", about->name, kinds[about->kind], about->unit,
                overs[about->over], about->help);
    }
}

static void print_times(FILE *to)
{
    fputs(
        "\n## Times\n\n"
        "Histograms, in seconds: each time is counted in the first bucket whose bound it does not\n"
        "pass; the bounds are 1, 2 and 5 times each power of ten from 1 ms to 500 s.\n\n"
        "| name | whose | what |\n|---|---|---|\n",
        to);
    for (unsigned kind = 0; kind < ROW_KINDS; kind++) {
        const struct counter_set *set = counter_set((enum row_kind)kind);

        for (unsigned h = 0; h < set->time_count; h++)
            fprintf(to, "| `%s` | %s | %s |\n", set->times[h].name, set->name, set->times[h].help);
    }
}

static void print_sums(FILE *to)
{
    fputs(
        "\n## Sums\n\n"
        "They hold for each process, but for what it is about to count. What is missing from one\n"
        "is a bug. `NAME*` is every counter whose name begins so.\n\n"
        "| of | in each | one side | the other |\n|---|---|---|---|\n",
        to);
    for (unsigned kind = 0; kind < ROW_KINDS; kind++) {
        const struct counter_set *set = counter_set((enum row_kind)kind);

        for (const struct counter_sum *sum = set->sums; sum->what != NULL; sum++)
            fprintf(to, "| %s | %s | `%s` | `%s` |\n", sum->what, set->name, sum->left, sum->right);
    }
    fputs("\n## Books\n\n"
          "Between processes, all workers together and all that they give work to: equal while\n"
          "nothing is on its way, whoever was killed meanwhile.\n\n"
          "| of | the workers | the others |\n|---|---|---|\n",
          to);
    for (const struct counter_book *book = counter_books; book->what != NULL; book++)
        fprintf(to, "| %s | `%s` | `%s` |\n", book->what, book->workers, book->others);
}

static void print_document(FILE *to)
{
    fputs(
        "# Counters\n\n"
        "What `postern status` shows. Made from `platform/link/counter_list.h` by its test:\n"
        "`build/tests/unit/link/test_counters --write docs/counters.md`.\n\n"
        "Each worker, each scanner child and control count in a row of their own, which nobody\n"
        "else writes. A *counter* only rises, also where its process is replaced by another, as\n"
        "long as the dataplane lives; a *gauge* says what is now. *Over* says what the values of\n"
        "several rows are together: their sum, or the least of them.\n",
        to);
    print_set(to, "Workers", ROW_WORKER);
    print_set(to, "Scanners", ROW_SCANNER);
    print_set(to, "Control", ROW_CONTROL);
    print_times(to);
    print_sums(to);
}

static void check_about(const struct counter_about *about)
{
    assert_true(strlen(about->name) > 0 && strlen(about->unit) > 0 && strlen(about->help) > 0);
    assert_null(strchr(about->help, '|'));
    assert_null(strchr(about->help, '"'));
    /* What all see alike is no count. */
    assert_true(about->kind == COUNTER_KIND_GAUGE || about->over == COUNTER_OVER_SUM);
}

static void test_every_counter(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < ROW_KINDS; kind++) {
        const struct counter_set *set = counter_set((enum row_kind)kind);

        assert_true(set->count > 0 && set->time_count > 0);
        for (unsigned c = 0; c < set->count; c++)
            check_about(&set->abouts[c]);
    }
    for (unsigned c = 0; c < COUNTER_COUNT; c++)
        assert_string_equal(counter_about((enum counter)c)->name, counter_name((enum counter)c));
    assert_null(counter_about(COUNTER_COUNT));
    assert_int_equal(counter_about(COUNTER_HALF_OPEN)->kind, COUNTER_KIND_GAUGE);
    assert_int_equal(counter_about(COUNTER_RX_PACKETS)->kind, COUNTER_KIND_COUNTER);
    assert_int_equal(counter_set(ROW_SCANNER)->count, SCANNER_COUNTER_COUNT);
    assert_string_equal(counter_set(ROW_CONTROL)->abouts[CONTROL_COUNTER_IN_DOUBT].name,
                        "control_in_doubt");
}

/* Readers put the rows of all kinds side by side. */
static void test_names_are_of_one_kind(void **state)
{
    static const char *const prefixes[ROW_KINDS] = {NULL, "scanner_*", "control_*"};

    (void)state;
    for (unsigned kind = ROW_SCANNER; kind < ROW_KINDS; kind++) {
        const struct counter_set *set = counter_set((enum row_kind)kind);

        for (unsigned c = 0; c < set->count; c++) {
            assert_true(counter_matches(prefixes[kind], set->abouts[c].name));
            for (unsigned other = 0; other < c; other++)
                assert_string_not_equal(set->abouts[c].name, set->abouts[other].name);
        }
    }
}

static uint64_t joined(enum counter counter, uint64_t value, uint64_t next)
{
    return counter_join(counter_about(counter), value, next);
}

static void test_over_workers(void **state)
{
    (void)state;
    assert_int_equal(joined(COUNTER_RX_PACKETS, 3, 4), 7);
    assert_int_equal(joined(COUNTER_SCANNERS_READY, 3, 4), 3);
    assert_int_equal(joined(COUNTER_SCANNERS_READY, 4, 3), 3);
    assert_int_equal(joined(COUNTER_CONTROL_READY, 1, 0), 0);
    assert_int_equal(joined(COUNTER_BLOCKS_FREE, 10, 20), 30);
}

/* Each name in a sum is one of the list: a misspelt one would make a sum that means less. */
static void check_terms(const struct counter_set *set, const char *terms)
{
    char copy[512];
    char *left = NULL;

    assert_true(strlen(terms) < sizeof(copy));
    memcpy(copy, terms, strlen(terms) + 1);
    for (char *term = strtok_r(copy, " ", &left); term != NULL; term = strtok_r(NULL, " ", &left)) {
        unsigned matched = 0;

        for (unsigned c = 0; c < set->count; c++)
            matched += counter_matches(term, set->abouts[c].name);
        if (matched == 0)
            fail_msg("no counter is %s", term);
    }
}

static unsigned check_sums(const struct counter_set *set)
{
    unsigned sums = 0;

    for (const struct counter_sum *sum = set->sums; sum->what != NULL; sum++) {
        check_terms(set, sum->left);
        check_terms(set, sum->right);
        for (unsigned c = 0; c < set->count; c++)
            assert_false(counter_matches(sum->left, set->abouts[c].name) &&
                         counter_matches(sum->right, set->abouts[c].name));
        sums++;
    }
    return sums;
}

static void test_sums_name_counters(void **state)
{
    unsigned books = 0;

    (void)state;
    assert_true(check_sums(counter_set(ROW_WORKER)) >= 5);
    assert_true(check_sums(counter_set(ROW_SCANNER)) >= 1);
    assert_true(check_sums(counter_set(ROW_CONTROL)) >= 2);
    for (const struct counter_book *book = counter_books; book->what != NULL; book++) {
        check_terms(counter_set(ROW_WORKER), book->workers);
        check_terms(counter_set(book->kind), book->others);
        books++;
    }
    assert_true(books >= 2);
}

/* A new outcome of one of these kinds must be in the sum of its kind. */
static void test_every_outcome_is_in_a_sum(void **state)
{
    static const char outcomes[] = "frame_* tcp_in_* half_open* closed_* message_* prefilter_by_*";
    const struct counter_set *set = counter_set(ROW_WORKER);

    (void)state;
    for (unsigned c = 0; c < COUNTER_COUNT; c++) {
        unsigned in = 0;

        for (const struct counter_sum *sum = set->sums; sum->what != NULL; sum++)
            in += counter_matches(sum->left, set->abouts[c].name) +
                  counter_matches(sum->right, set->abouts[c].name);
        if (counter_matches(outcomes, set->abouts[c].name) && in != 1)
            fail_msg("%s is in %u sums", counter_name((enum counter)c), in);
    }
}

static void test_totals(void **state)
{
    const struct counter_set *set = counter_set(ROW_WORKER);
    uint64_t values[COUNTER_COUNT] = {0};

    (void)state;
    values[COUNTER_HALF_OPEN] = 1;
    values[COUNTER_HALF_OPEN_RESET] = 10;
    values[COUNTER_HALF_OPEN_EXPIRED] = 100;
    values[COUNTER_RX_PACKETS] = 1000;
    assert_int_equal(counter_total(set, "half_open", values), 1);
    assert_int_equal(counter_total(set, "half_open_*", values), 110);
    assert_int_equal(counter_total(set, "half_open*", values), 111);
    assert_int_equal(counter_total(set, "rx_packets half_open half_open_reset", values), 1011);
    assert_int_equal(counter_total(set, "rx_packet", values), 0);
    assert_int_equal(counter_total(set, "", values), 0);
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
        cmocka_unit_test(test_names_are_of_one_kind),
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
