/* compile: what a prefilter of many signatures costs to make and to search.
 *
 *     performance_compile [--smoke | --text FILE] [SIGNATURES...]   default: 10000 100000 300000
 *
 * Makes up literal body signatures (an .ndb: words, code and program bytes of 8 to 64 bytes),
 * compiles them as `postern signatures build` does, in a process of its own for its memory, and
 * searches mail-like text with the result, in pieces of 1,460 bytes; then the same for a set of 8.7
 * million hashes. Prints a table and judges nothing; --smoke is a run of small numbers, a test that
 * this works.
 */
#include <hs/hs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "platform/check.h"
#include "platform/why.h"
#include "signatures/compile/build.h"
#include "signatures/content/decode/squeeze.h"
#include "signatures/draft/draft.h"

#define SIZES_MAX    16u
#define TEXT_BYTES   (16u << 20)
#define PIECE_BYTES  1460u
#define HASHES       8700000u
#define HASHES_SMOKE 20000u
#define LOOKUPS      4000000u
#define PATH_BYTES   128u

static char folder[] = "/tmp/performance_compile.XXXXXX";

static uint64_t random_state = 88172645463325252;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static double now_seconds(void)
{
    struct timespec now;

    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void path_of(char *path, const char *name)
{
    (void)snprintf(path, PATH_BYTES, "%s/%s", folder, name);
}

/* A word of two to four of some hundred syllables: a vocabulary of millions, as in mail the shorter
 * ones much more often. */
static size_t put_word(char *to)
{
    static const char first[] = "bcdfghjklmnprstvwbrclst", then[] = "aeiouaeiee", last[] = "nrslt";
    unsigned syllables = 1 + (unsigned)(next_random() % 2) + (next_random() % 4 == 0);
    size_t length = 0;

    for (unsigned i = 0; i < syllables; i++) {
        to[length++] = first[next_random() % (sizeof(first) - 1)];
        to[length++] = then[next_random() % (sizeof(then) - 1)];
        if (next_random() % 2 == 0)
            to[length++] = last[next_random() % (sizeof(last) - 1)];
    }
    return length;
}

/* A third words with something of their own between them, a third code, a third bytes. */
static size_t make_body(uint8_t *body)
{
    static const char code[] = "abcdefghijklmnopqrstuvwxyz0123456789_.(){}=;+'\"$";
    size_t wanted = 8 + next_random() % 57;
    unsigned kind = (unsigned)(next_random() % 3);
    size_t length = 0;

    while (length < wanted) {
        if (kind == 0 && length + 24 < 80) {
            length += put_word((char *)body + length);
            body[length++] = ' ';
            for (unsigned i = 0; i < 3; i++)
                body[length++] = (uint8_t)('a' + next_random() % 26);
        } else if (kind == 1) {
            body[length++] = (uint8_t)code[next_random() % (sizeof(code) - 1)];
        } else {
            body[length++] = next_random() % 4 == 0 ? 0 : (uint8_t)next_random();
        }
    }
    return length;
}

static void write_signatures(const char *path, unsigned count)
{
    FILE *file = fopen(path, "w");

    CHECK(file != NULL);
    for (unsigned i = 0; i < count; i++) {
        uint8_t body[128];
        size_t length = make_body(body);

        (void)fprintf(file, "Performance.Signature.%u:%u:*:", i,
                      next_random() % 4 == 0 ? (unsigned)(3 + next_random() % 2) : 0);
        for (size_t k = 0; k < length; k++)
            (void)fprintf(file, "%02x", body[k]);
        (void)fputc('\n', file);
    }
    CHECK(fclose(file) == 0);
}

/* Mail-like: words, mark-up, some base64. */
static size_t make_text(char *text)
{
    static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t length = 0;

    while (length < TEXT_BYTES - 256) {
        if (next_random() % 64 == 0) {
            for (unsigned i = 0; i < 76; i++)
                text[length++] = base64[next_random() % 64];
        } else if (next_random() % 8 == 0) {
            text[length++] = '<';
            length += put_word(text + length);
            text[length++] = '>';
        } else {
            length += put_word(text + length);
        }
        text[length++] = next_random() % 12 == 0 ? '\n' : ' ';
    }
    return length;
}

/* As much of a file as there is room for. */
static size_t read_text(const char *path, char *text)
{
    FILE *file = fopen(path, "rb");
    size_t length;

    if (file == NULL) {
        perror(path);
        exit(1);
    }
    length = fread(text, 1, TEXT_BYTES, file);
    (void)fclose(file);
    return length;
}

static void build_in_child(const char *database, const char *table, const char *output,
                           struct rusage *usage)
{
    struct build_options options = {.database = database, .library_table = table, .output = output};
    pid_t child;
    int ended;

    (void)fflush(stdout);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        struct build_report report = {0};
        struct why why;

        if (build_prefilter(&options, &report, &why) != STATUS_OK) {
            (void)fprintf(stderr, "performance_compile: %s\n", why.text);
            _exit(1);
        }
        _exit(0);
    }
    CHECK(wait4(child, &ended, 0, usage) == child);
    CHECK(WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
}

static int count_hit(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
                     void *context)
{
    (void)id, (void)from, (void)to, (void)flags;
    ++*(uint64_t *)context;
    return 0;
}

/* Bytes a second, of all the text as one stream in pieces. */
static double scan_rate(const hs_database_t *database, const char *text, size_t length,
                        uint64_t *hits)
{
    hs_scratch_t *scratch = NULL;
    hs_stream_t *stream = NULL;
    double begun;

    *hits = 0;
    if (database == NULL)
        return 0;
    CHECK(hs_alloc_scratch(database, &scratch) == HS_SUCCESS);
    CHECK(hs_open_stream(database, 0, &stream) == HS_SUCCESS);
    begun = now_seconds();
    for (size_t at = 0; at < length; at += PIECE_BYTES)
        CHECK(hs_scan_stream(stream, text + at,
                             (unsigned)(length - at < PIECE_BYTES ? length - at : PIECE_BYTES), 0,
                             scratch, count_hit, hits) == HS_SUCCESS);
    begun = now_seconds() - begun;
    CHECK(hs_close_stream(stream, scratch, count_hit, hits) == HS_SUCCESS);
    CHECK(hs_free_scratch(scratch) == HS_SUCCESS);
    return (double)length / begun;
}

static size_t squeeze_text(char *text, size_t length)
{
    size_t left = 0;

    for (size_t i = 0; i < length; i++) {
        uint8_t byte = squeeze_byte((uint8_t)text[i]);

        text[left] = (char)byte;
        left += byte != 0;
    }
    return left;
}

static size_t stream_bytes(const hs_database_t *database)
{
    size_t size = 0;

    if (database != NULL)
        CHECK(hs_stream_size(database, &size) == HS_SUCCESS);
    return size;
}

static void measure_signatures(unsigned count, const char *text, size_t length,
                               const char *squeezed, size_t squeezed_length)
{
    char database[PATH_BYTES], table[PATH_BYTES], output[PATH_BYTES];
    struct why why;
    struct rusage usage;
    struct prefilter prefilter;
    uint64_t hits, exact_hits;
    double seconds, rate, exact_rate;

    path_of(database, "signatures.ndb");
    path_of(table, "table");
    path_of(output, "prefilter");
    write_signatures(database, count);
    seconds = now_seconds();
    build_in_child(database, table, output, &usage);
    seconds = now_seconds() - seconds;
    CHECK(prefilter_open(&prefilter, output, &why) == STATUS_OK);
    rate = scan_rate(prefilter.squeezed, squeezed, squeezed_length, &hits);
    exact_rate = scan_rate(prefilter.exact, text, length, &exact_hits);
    printf("%10u %9.2f %9ld %9.2f %9.2f %9.2f %9zu %9zu %9.2f %9.2f %9.1f %9.1f\n", count, seconds,
           usage.ru_maxrss / 1024, (double)prefilter.bytes / 1e6,
           (double)prefilter.header->squeezed.count / 1e6,
           (double)prefilter.header->exact.count / 1e6, stream_bytes(prefilter.squeezed),
           stream_bytes(prefilter.exact), rate / 1e9, exact_rate / 1e9,
           (double)hits / ((double)squeezed_length / 1e6),
           (double)exact_hits / ((double)length / 1e6));
    prefilter_close(&prefilter);
    (void)unlink(database);
    (void)unlink(output);
}

static void random_digest(uint8_t *digest)
{
    for (unsigned i = 0; i < 2; i++) {
        uint64_t value = next_random() * UINT64_C(0x9e3779b97f4a7c15);

        memcpy(digest + 8 * i, &value, sizeof(value));
    }
}

static void measure_hashes(unsigned count)
{
    struct draft draft = {0};
    struct draft_identity identity = {.library = "1.4.6"};
    struct prefilter prefilter;
    char output[PATH_BYTES];
    struct why why;
    uint8_t digest[16];
    uint64_t listed = 0;
    double seconds = now_seconds(), lookups;

    path_of(output, "prefilter");
    for (unsigned i = 0; i < count; i++) {
        random_digest(digest);
        CHECK(draft_add_hash(&draft, PREFILTER_MD5, digest, false, next_random() % 400000) ==
              STATUS_OK);
    }
    CHECK(draft_compile(&draft, &why) == STATUS_OK);
    CHECK(draft_write(&draft, &identity, output, &why) == STATUS_OK);
    draft_free(&draft);
    seconds = now_seconds() - seconds;
    lookups = now_seconds();
    CHECK(prefilter_open(&prefilter, output, &why) == STATUS_OK);
    printf("\n%10s %8s %10s %8s %10s %10s\n%10u %8.2f %10.1f %8.2f", "hashes", "made s", "file MB",
           "open s", "ns, miss", "false", count, seconds, (double)prefilter.bytes / 1e6,
           now_seconds() - lookups);
    lookups = now_seconds();
    for (unsigned i = 0; i < LOOKUPS; i++) {
        random_digest(digest);
        listed += prefilter_hash_listed(&prefilter, PREFILTER_MD5, digest);
    }
    printf(" %10.1f %10llu\n", (now_seconds() - lookups) * 1e9 / LOOKUPS,
           (unsigned long long)listed);
    prefilter_close(&prefilter);
    (void)unlink(output);
}

static void write_table(void)
{
    char path[PATH_BYTES];
    FILE *file;

    path_of(path, "table");
    file = fopen(path, "w");
    CHECK(file != NULL);
    (void)fputs("version 1.4.6\nflevel 216\n"
                "type 0:0:255044462d:PDF document:CL_TYPE_ANY:CL_TYPE_PDF\n",
                file);
    CHECK(fclose(file) == 0);
}

struct wishes {
    unsigned sizes[SIZES_MAX];
    unsigned count;
    unsigned hashes;
    const char *text;
};

static void read_wishes(int argc, char **argv, struct wishes *wishes)
{
    int i = 1;

    *wishes = (struct wishes){.sizes = {10000, 100000, 300000}, .count = 3, .hashes = HASHES};
    if (argc > 1 && strcmp(argv[1], "--smoke") == 0) {
        *wishes = (struct wishes){.sizes = {500}, .count = 1, .hashes = HASHES_SMOKE};
        return;
    }
    if (argc > 2 && strcmp(argv[1], "--text") == 0) {
        wishes->text = argv[2];
        i = 3;
    }
    if (i < argc)
        wishes->count = 0;
    for (; i < argc && wishes->count < SIZES_MAX; i++)
        wishes->sizes[wishes->count++] = (unsigned)strtoul(argv[i], NULL, 10);
}

static void print_heads(void)
{
    static const char *const heads[2][12] = {{"signatures", "build", "peak", "file", "squeezed",
                                              "exact", "stream", "stream", "squeezed", "exact",
                                              "squeezed", "exact"},
                                             {"", "s", "MiB", "MB", "MB", "MB", "squeezed", "exact",
                                              "GB/s", "GB/s", "hits/MB", "hits/MB"}};

    for (unsigned i = 0; i < 2; i++) {
        for (unsigned k = 0; k < 12; k++)
            printf("%*s%s", k == 0 ? 10 : 9, heads[i][k], k == 11 ? "\n" : " ");
    }
}

int main(int argc, char **argv)
{
    struct wishes wishes;
    char *text = malloc(TEXT_BYTES), *squeezed = malloc(TEXT_BYTES);
    char table[PATH_BYTES];
    size_t length, squeezed_length;

    read_wishes(argc, argv, &wishes);
    CHECK(text != NULL && squeezed != NULL && mkdtemp(folder) != NULL);
    write_table();
    length = wishes.text != NULL ? read_text(wishes.text, text) : make_text(text);
    memcpy(squeezed, text, length);
    squeezed_length = squeeze_text(squeezed, length);
    print_heads();
    for (unsigned i = 0; i < wishes.count; i++)
        measure_signatures(wishes.sizes[i], text, length, squeezed, squeezed_length);
    measure_hashes(wishes.hashes);
    path_of(table, "table");
    (void)unlink(table);
    (void)rmdir(folder);
    free(text);
    free(squeezed);
    return 0;
}
