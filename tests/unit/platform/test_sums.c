/* What each worker needs, against what it gets, and what all may take, against what there is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "platform/sums.h"
#include "platform/why.h"

#define MIB (UINT64_C(1) << 20)

static struct config of(uint64_t messages_bytes, uint64_t message_bytes)
{
    return (struct config){.memory.messages_bytes = messages_bytes,
                           .limits.message_bytes = message_bytes};
}

/* The defaults are for up to four workers; with sixteen and more one large mail would never end. */
static void test_the_defaults(void **state)
{
    struct config config = of(256 * MIB, 50 * MIB);
    struct why why = {""};

    (void)state;
    for (unsigned workers = 1; workers <= 4; workers++)
        assert_int_equal(sums_of_memory(&config, workers, &why), STATUS_OK);
    for (unsigned workers = 5; workers <= 64; workers++)
        assert_int_equal(sums_of_memory(&config, workers, &why), STATUS_BAD_CONFIG);
    assert_int_equal(sums_of_memory(&config, 16, &why), STATUS_BAD_CONFIG);
    assert_string_equal(why.text,
                        "memory.messages is 16384 blocks of 16K, for each of 16 workers 1024, "
                        "of which large mail may have 840; a message of limits.message_size needs "
                        "3205, the window included: write memory.messages: 977M, lower "
                        "limits.message_size, or name fewer cores.workers");
}

/* What the complaint asks for is enough, for any number of workers and size. */
static void test_what_is_asked_for_is_enough(void **state)
{
    struct why why;

    (void)state;
    for (unsigned workers = 1; workers <= 64; workers++) {
        for (uint64_t size = MIB / 2; size <= 100 * MIB; size += MIB / 2) {
            struct config config = of(MIB, size);
            const char *asked = NULL;
            char *end = NULL;

            if (sums_of_memory(&config, workers, &why) == STATUS_OK)
                continue;
            asked = strstr(why.text, "write memory.messages: ");
            assert_non_null(asked);
            config.memory.messages_bytes =
                strtoull(asked + strlen("write memory.messages: "), &end, 10) * MIB;
            assert_int_equal(*end, 'M');
            assert_int_equal(sums_of_memory(&config, workers, &why), STATUS_OK);
        }
    }
}

static void test_packets(void **state)
{
    struct why why = {""};

    (void)state;
    assert_int_equal(sums_of_packets(8191, 1, 7, 1024, &why), STATUS_OK);
    assert_int_equal(sums_of_packets(1023, 32, 0, 1024, &why), STATUS_OK);
    assert_int_equal(sums_of_packets(2047, 16, 1, 1024, &why), STATUS_OK);
    assert_int_equal(sums_of_packets(1023, 32, 1, 1024, &why), STATUS_BAD_CONFIG);
    assert_string_equal(why.text,
                        "memory.packets gives each of 32 workers 1023 buffers; 1 ports keep "
                        "1024 each and 512 are at work: raise memory.packets, or name fewer "
                        "cores.workers");
}

/* 448 MiB for certain; two scanners of 2048 + 50 + 800: 5796 MiB more. */
static struct config usual(void)
{
    return (struct config){
        .memory = {.hugepages = CONFIG_HUGEPAGES_AUTO,
                   .messages_bytes = 256 * MIB,
                   .packets_bytes = 128 * MIB},
        .limits = {.message_bytes = 50 * MIB},
        .scanner = {.memory_bytes = 2048 * MIB, .scan_bytes_max = 400 * MIB},
        .prefilter = {.enabled = true, .cache_bytes = 64 * MIB},
    };
}

static enum status fit(const struct config *config, struct machine_memory machine, struct why *why)
{
    struct sums_machine sums = sums_of_machine(config, 2, &machine);

    return sums_fit(&sums, why);
}

static void test_the_machine_has_enough(void **state)
{
    struct config config = usual();
    struct machine_memory machine = {.bytes = 6244 * MIB, .limit_bytes = MACHINE_NO_LIMIT};
    struct sums_machine sums = sums_of_machine(&config, 2, &machine);
    struct why why = {"before"};

    (void)state;
    assert_int_equal(sums.certain_bytes, 448 * MIB);
    assert_int_equal(sums.possible_bytes, 5796 * MIB);
    assert_int_equal(sums.there_bytes, 6244 * MIB);
    assert_int_equal(sums_fit(&sums, &why), STATUS_OK);
    assert_string_equal(why.text, "");
    machine.bytes = MACHINE_NO_LIMIT; /* it does not say */
    sums = sums_of_machine(&config, 2, &machine);
    assert_int_equal(sums_fit(&sums, &why), STATUS_OK);
    assert_string_equal(why.text, "");
    assert_non_null(strstr(sums.text.text, "this machine has an unknown number of MiB"));
}

static void test_what_is_possible_is_warned_of(void **state)
{
    struct config config = usual();
    struct machine_memory machine = {.bytes = 6244 * MIB - 1, .limit_bytes = MACHINE_NO_LIMIT};
    struct why why;

    (void)state;
    assert_int_equal(fit(&config, machine, &why), STATUS_OK);
    assert_string_equal(
        why.text, "memory: more may be wanted than there is, and scanners are the first to be "
                  "ended for it: messages 256 + packets 128 + verdict cache 64 = 448 MiB for "
                  "certain; 2 scanners of 2048 + a message of 50 + temporary files of 800 = 5796 "
                  "MiB more at most, and the signatures, twice while new ones are loaded; this "
                  "machine has 6243 MiB");
    machine.bytes = 448 * MIB; /* no more than what is certain */
    assert_int_equal(fit(&config, machine, &why), STATUS_OK);
    assert_false(why_empty(&why));
}

static void test_what_is_certain_is_refused(void **state)
{
    struct config config = usual();
    struct machine_memory machine = {.bytes = 448 * MIB - 1, .limit_bytes = MACHINE_NO_LIMIT};
    struct why why;

    (void)state;
    assert_int_equal(fit(&config, machine, &why), STATUS_NO_MEMORY);
    assert_string_equal(
        why.text, "memory: more is certain than there is: messages 256 + packets 128 + verdict "
                  "cache 64 = 448 MiB for certain; 2 scanners of 2048 + a message of 50 + "
                  "temporary files of 800 = 5796 MiB more at most, and the signatures, twice while "
                  "new ones are loaded; this machine has 447 MiB: lower memory.messages or "
                  "memory.packets");
    config.prefilter.enabled = false; /* then there is no cache */
    assert_int_equal(fit(&config, machine, &why), STATUS_OK);
}

static void test_the_group_has_less_than_the_machine(void **state)
{
    struct config config = usual();
    struct machine_memory machine = {.bytes = 65536 * MIB, .limit_bytes = 448 * MIB - 1};
    struct why why;

    (void)state;
    assert_int_equal(fit(&config, machine, &why), STATUS_NO_MEMORY);
    assert_non_null(strstr(why.text, "; this control group has 447 MiB: lower"));
    machine.limit_bytes = 1024 * MIB;
    assert_int_equal(fit(&config, machine, &why), STATUS_OK);
    assert_non_null(strstr(why.text, "more may be wanted"));
    machine.limit_bytes = 65537 * MIB; /* more than there is */
    assert_int_equal(fit(&config, machine, &why), STATUS_OK);
    assert_string_equal(why.text, "");
}

/* Hugepages are set aside already, and no group is charged for them. */
static void test_what_is_on_hugepages_does_not_count(void **state)
{
    struct config config = usual();
    struct machine_memory machine = {
        .bytes = 100 * MIB, .limit_bytes = MACHINE_NO_LIMIT, .hugepages_free = 192};
    struct why why;

    (void)state;
    assert_int_equal(fit(&config, machine, &why), STATUS_OK);
    assert_non_null(strstr(why.text, "packets 128 (on hugepages: not counted) + verdict cache 64 = "
                                     "64 MiB for certain"));
    machine.hugepages_free = 191;
    assert_int_equal(fit(&config, machine, &why), STATUS_NO_MEMORY);
    config.memory.hugepages = CONFIG_HUGEPAGES_REQUIRED;
    assert_int_equal(fit(&config, machine, &why), STATUS_OK);
    config.memory.hugepages = CONFIG_HUGEPAGES_OFF;
    machine.hugepages_free = 192;
    assert_int_equal(fit(&config, machine, &why), STATUS_NO_MEMORY);
}

/* The largest a file may say still fits a line. */
static void test_the_longest_line_is_whole(void **state)
{
    struct config config = usual();
    struct machine_memory machine = {.bytes = 100 * MIB, .limit_bytes = 1, .hugepages_free = 0};
    struct sums_machine sums;
    struct why why;

    (void)state;
    config.memory.messages_bytes = config.memory.packets_bytes = 65536 * MIB;
    config.scanner.memory_bytes = 65536 * MIB;
    config.scanner.scan_bytes_max = 4096 * MIB;
    config.prefilter.cache_bytes = 4096 * MIB;
    sums = sums_of_machine(&config, 256, &machine);
    assert_int_equal(sums_fit(&sums, &why), STATUS_NO_MEMORY);
    assert_non_null(strstr(why.text, " 0 MiB: lower memory.messages or memory.packets"));
}

static void place(const char *root, const char *path, const char *text)
{
    char whole[512];
    FILE *file;

    (void)snprintf(whole, sizeof(whole), "%s%s", root, path);
    for (char *slash = strchr(whole + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(whole, 0700);
        *slash = '/';
    }
    file = fopen(whole, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static struct machine_memory read_at(const char *root, enum status expected)
{
    struct machine_memory memory;

    assert_int_equal(machine_memory_read(&memory, root), expected);
    return memory;
}

static void test_what_a_machine_says(void **state)
{
    char root[] = "/tmp/postern-test-XXXXXX";
    char remove[64];
    struct machine_memory memory;

    (void)state;
    assert_non_null(mkdtemp(root));
    memory = read_at(root, STATUS_NOT_FOUND);
    assert_true(memory.bytes == MACHINE_NO_LIMIT && memory.limit_bytes == MACHINE_NO_LIMIT);
    assert_int_equal(memory.hugepages_free, 0);
    place(root, "/proc/meminfo", "MemTotal: 8192 kB\nMemFree: 1 kB\nHugetlb: 2048 kB\n");
    place(root, "/proc/self/cgroup", "4:memory:/old\n0::/one/two\n");
    place(root, "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "7\n");
    place(root, "/sys/fs/cgroup/one/two/memory.max", "max\n");
    place(root, "/sys/fs/cgroup/old/memory.max", "1\n");
    memory = read_at(root, STATUS_OK);
    assert_int_equal(memory.bytes, 6 * MIB);
    assert_int_equal(memory.hugepages_free, 7);
    assert_true(memory.limit_bytes == MACHINE_NO_LIMIT);
    place(root, "/sys/fs/cgroup/memory.max", "5000000\n"); /* a container's own */
    assert_int_equal(read_at(root, STATUS_OK).limit_bytes, 5000000);
    place(root, "/sys/fs/cgroup/one/memory.max", "4000000\n");
    assert_int_equal(read_at(root, STATUS_OK).limit_bytes, 4000000);
    place(root, "/sys/fs/cgroup/one/two/memory.max", "3000000\n");
    assert_int_equal(read_at(root, STATUS_OK).limit_bytes, 3000000);
    place(root, "/proc/self/cgroup", "0::/\n");
    assert_int_equal(read_at(root, STATUS_OK).limit_bytes, 5000000);
    (void)snprintf(remove, sizeof(remove), "rm -r %s", root);
    assert_int_equal(system(remove), 0); // NOLINT(cert-env33-c): a folder of our own
}

static void test_this_machine(void **state)
{
    struct machine_memory memory = read_at("", STATUS_OK);

    (void)state;
    assert_in_range(memory.bytes, 16 * MIB,
                    (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_defaults),
        cmocka_unit_test(test_what_is_asked_for_is_enough),
        cmocka_unit_test(test_packets),
        cmocka_unit_test(test_the_machine_has_enough),
        cmocka_unit_test(test_what_is_possible_is_warned_of),
        cmocka_unit_test(test_what_is_certain_is_refused),
        cmocka_unit_test(test_the_group_has_less_than_the_machine),
        cmocka_unit_test(test_what_is_on_hugepages_does_not_count),
        cmocka_unit_test(test_the_longest_line_is_whole),
        cmocka_unit_test(test_what_a_machine_says),
        cmocka_unit_test(test_this_machine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
