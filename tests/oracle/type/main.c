/* oracle-type: mutated files, libclamav and signatures/content/type/type.h, until the time is over.
 *
 *   oracle-type --seconds N --seed S [--keep FILE] SEED-FILE...
 *
 * Exit status: 0 no difference, 1 one was found (it is written to --keep's file), 2 usage or
 * set-up. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "platform/why.h"
#include "tests/oracle/type/judge.h"
#include "tests/simulation/random.h"

#define SEED_BYTES  65536u
#define CASE_BYTES  (2 * SEED_BYTES)
#define SEEDS_MAX   20000u
#define CHANGES_MAX 6

struct seed {
    uint8_t *bytes;
    size_t length;
};

struct oracle {
    struct table *table;
    struct judge *judge;
    struct random random;
    struct seed seeds[SEEDS_MAX];
    size_t seed_count;
    uint8_t bytes[CASE_BYTES];
    size_t length;
};

static size_t below(struct oracle *oracle, size_t limit)
{
    return (size_t)random_below(&oracle->random, limit);
}

static bool read_seed(struct oracle *oracle, const char *path)
{
    struct seed *seed = &oracle->seeds[oracle->seed_count];
    FILE *file = oracle->seed_count < SEEDS_MAX ? fopen(path, "rb") : NULL;

    if (file == NULL) {
        (void)fprintf(stderr, "oracle-type: %s: not read\n", path);
        return false;
    }
    seed->bytes = malloc(SEED_BYTES);
    if (seed->bytes == NULL)
        abort();
    seed->length = fread(seed->bytes, 1, SEED_BYTES, file);
    (void)fclose(file);
    oracle->seed_count++;
    return true;
}

static void insert(struct oracle *oracle, size_t at, const uint8_t *bytes, size_t length, bool over)
{
    if (over && at + length <= oracle->length) {
        memcpy(&oracle->bytes[at], bytes, length);
        return;
    }
    if (oracle->length + length > CASE_BYTES || at > oracle->length)
        return;
    memmove(&oracle->bytes[at + length], &oracle->bytes[at], oracle->length - at);
    memcpy(&oracle->bytes[at], bytes, length);
    oracle->length += length;
}

/* Bytes that agree with a line of the table, gaps filled with a few bytes. */
static size_t instance(struct oracle *oracle, const struct types_entry *entry, uint8_t *to,
                       size_t room)
{
    size_t length = 0;

    for (uint32_t i = 0; i < entry->magic.length && length < room; i++) {
        uint8_t mask = entry->mask_bytes[i];
        uint8_t value = entry->magic_bytes[i];

        if (mask == 0 && value == PREFILTER_MAGIC_GAP) {
            size_t skip = (size_t)random_size(&oracle->random, 0, 300);

            for (; skip > 0 && length < room; skip--)
                to[length++] = (uint8_t)(random_chance(&oracle->random, 9000) ? 'x' : '\n');
            continue;
        }
        to[length++] = value | (uint8_t)(random_next(&oracle->random) & (uint8_t)~mask);
    }
    return length;
}

static size_t place(struct oracle *oracle, const struct prefilter_magic *magic)
{
    size_t length = oracle->length;

    switch (below(oracle, 4)) {
    case 0:
        if (magic->kind == PREFILTER_MAGIC_END)
            return length > magic->offset ? length - magic->offset : 0;
        return magic->offset < length ? magic->offset : length;
    case 1:
        return length < 1100 ? below(oracle, length + 1) : 900 + below(oracle, 200);
    case 2:
        return below(oracle, length < 64 ? length + 1 : 64);
    default:
        return below(oracle, length + 1);
    }
}

static void insert_pattern(struct oracle *oracle)
{
    uint8_t bytes[4096];
    unsigned i = (unsigned)below(oracle, oracle->table->count);
    const struct types_entry *entry;
    size_t length;

    /* Half of the table are magics of one format: patterns get as many turns. */
    for (unsigned turn = 0; turn < 3 && oracle->table->magics[i].kind == PREFILTER_MAGIC_FIXED;
         turn++)
        i = (unsigned)below(oracle, oracle->table->count);
    entry = &oracle->table->entries[i];
    length = instance(oracle, entry, bytes, sizeof(bytes));
    insert(oracle, place(oracle, &entry->magic), bytes, length,
           random_chance(&oracle->random, 7000));
}

static void make_text(struct oracle *oracle)
{
    bool high = random_chance(&oracle->random, 5000);

    for (size_t i = 0; i < oracle->length; i++)
        if (oracle->bytes[i] < 0x20 || (oracle->bytes[i] & 0x7f) == 0x7f)
            oracle->bytes[i] = '\n';
        else if (!high)
            oracle->bytes[i] &= 0x7f;
}

static void make_wide(struct oracle *oracle)
{
    bool big = random_chance(&oracle->random, 5000);
    size_t length = oracle->length < CASE_BYTES / 2 ? oracle->length : CASE_BYTES / 2;

    for (size_t i = length; i > 0; i--) {
        uint8_t byte = oracle->bytes[i - 1];

        oracle->bytes[2 * i - 2] = big ? 0 : byte;
        oracle->bytes[2 * i - 1] = big ? byte : 0;
    }
    oracle->length = 2 * length;
    if (random_chance(&oracle->random, 5000))
        insert(oracle, 0, (const uint8_t *)(big ? "\xfe\xff" : "\xff\xfe"), 2, false);
}

/* Pairs of bytes that the library folds to a tag. */
static void make_folded(struct oracle *oracle)
{
    static const char tag[] = "<img";
    uint8_t bytes[2 * (sizeof(tag) - 1)];

    for (size_t i = 0; i < sizeof(tag) - 1; i++) {
        bytes[2 * i + 1] = (uint8_t)(0x20 + below(oracle, 0x5f));
        bytes[2 * i] = (uint8_t)((uint8_t)tag[i] - (uint8_t)(bytes[2 * i + 1] << 4));
    }
    insert(oracle, below(oracle, oracle->length + 1) & ~(size_t)1, bytes, sizeof(bytes), true);
}

static void change(struct oracle *oracle)
{
    switch (below(oracle, 12)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
        insert_pattern(oracle);
        break;
    case 5:
        if (oracle->length > 0)
            oracle->bytes[place(oracle, oracle->table->magics) % oracle->length] =
                (uint8_t)random_next(&oracle->random);
        break;
    case 6:
        oracle->length = (size_t)random_size(&oracle->random, 0, (int64_t)oracle->length);
        break;
    case 7:
        make_text(oracle);
        break;
    case 8:
        if (random_chance(&oracle->random, 2000))
            make_wide(oracle);
        break;
    case 9: {
        const struct seed *seed = &oracle->seeds[below(oracle, oracle->seed_count)];
        size_t length = (size_t)random_size(&oracle->random, 0, (int64_t)seed->length);

        insert(oracle, below(oracle, oracle->length + 1), seed->bytes, length, false);
        break;
    }
    case 10:
        make_folded(oracle);
        break;
    default: {
        size_t cut = (size_t)random_size(&oracle->random, 0, (int64_t)oracle->length);

        oracle->length -= cut;
        memmove(oracle->bytes, oracle->bytes + cut, oracle->length);
        break;
    }
    }
}

static void make_case(struct oracle *oracle)
{
    const struct seed *seed = &oracle->seeds[below(oracle, oracle->seed_count)];
    size_t most = random_chance(&oracle->random, 8000) && seed->length > 4096 ? 4096 : seed->length;
    int changes = (int)random_size(&oracle->random, 0, CHANGES_MAX);

    oracle->length = most;
    memcpy(oracle->bytes, seed->bytes, most);
    while (changes-- > 0)
        change(oracle);
    insert(oracle, below(oracle, oracle->length + 1), (const uint8_t *)JUDGE_MARK,
           sizeof(JUDGE_MARK) - 1, random_chance(&oracle->random, 5000));
}

static void keep(const struct oracle *oracle, const char *path)
{
    FILE *file = path == NULL ? NULL : fopen(path, "wb");

    if (file == NULL)
        return;
    (void)fwrite(oracle->bytes, 1, oracle->length, file);
    (void)fclose(file);
    (void)fprintf(stderr, "the case is in %s\n", path);
}

static void report(const struct judge_counts *counts)
{
    (void)printf(
        "%llu cases, 0 differences: text %llu, HTML %llu, image %llu, binary %llu, ignored %llu, "
        "escalated %llu (%llu without need); marked %llu\n",
        (unsigned long long)counts->cases,
        (unsigned long long)counts->classes[PREFILTER_CLASS_TEXT],
        (unsigned long long)counts->classes[PREFILTER_CLASS_HTML],
        (unsigned long long)counts->classes[PREFILTER_CLASS_IMAGE],
        (unsigned long long)counts->classes[PREFILTER_CLASS_BINARY],
        (unsigned long long)counts->classes[PREFILTER_CLASS_IGNORED],
        (unsigned long long)counts->classes[PREFILTER_CLASS_ESCALATE],
        (unsigned long long)counts->needless, (unsigned long long)counts->marked);
}

static int run(struct oracle *oracle, time_t seconds, const char *keep_path)
{
    time_t end = time(NULL) + seconds;
    struct why why;
    size_t unchanged = 0;

    while (time(NULL) < end || unchanged < oracle->seed_count) {
        if (unchanged < oracle->seed_count) {
            const struct seed *seed = &oracle->seeds[unchanged++];

            oracle->length = seed->length;
            memcpy(oracle->bytes, seed->bytes, seed->length);
        } else {
            make_case(oracle);
        }
        if (!judge_case(oracle->judge, oracle->bytes, oracle->length, &why)) {
            (void)fprintf(stderr, "difference: %s (%zu bytes, after %llu cases)\n", why.text,
                          oracle->length, (unsigned long long)judge_counts(oracle->judge)->cases);
            keep(oracle, keep_path);
            return 1;
        }
    }
    report(judge_counts(oracle->judge));
    return 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"seconds", required_argument, NULL, 't'},
        {"seed", required_argument, NULL, 's'},
        {"keep", required_argument, NULL, 'k'},
        {NULL, 0, NULL, 0},
    };
    static struct oracle oracle;
    const char *keep_path = NULL;
    time_t seconds = 10;
    uint64_t seed = 1;
    int option;
    int result;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 't')
            seconds = strtol(optarg, NULL, 10);
        else if (option == 's')
            seed = strtoull(optarg, NULL, 10);
        else if (option == 'k')
            keep_path = optarg;
        else
            return 2;
    }
    random_seed(&oracle.random, seed);
    for (int i = optind; i < argc; i++)
        if (!read_seed(&oracle, argv[i]))
            return 2;
    oracle.table = oracle.seed_count == 0 ? NULL : table_create();
    oracle.judge = oracle.table == NULL ? NULL : judge_create(oracle.table);
    if (oracle.judge == NULL) {
        (void)fprintf(stderr, "usage: oracle-type --seconds N --seed S [--keep FILE] FILE...\n");
        return 2;
    }
    result = run(&oracle, seconds, keep_path);
    judge_destroy(oracle.judge);
    table_destroy(oracle.table);
    for (size_t i = 0; i < oracle.seed_count; i++)
        free(oracle.seeds[i].bytes);
    return result;
}
