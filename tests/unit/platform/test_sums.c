/* What each worker needs, against what it gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_defaults),
        cmocka_unit_test(test_what_is_asked_for_is_enough),
        cmocka_unit_test(test_packets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
