/* Channels: shape, refusals, and that neighbours do not touch. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "platform/link/channel.h"

static bool is_closed(int fd)
{
    return fcntl(fd, F_GETFD) < 0 && errno == EBADF;
}

static void check_zeroed(const struct channel_memory *memory)
{
    for (size_t i = 0; i < memory->bytes; i++) {
        if (memory->base[i] != 0)
            fail_msg("byte %zu of new channel memory is not zero", i);
    }
}

union job {
    struct scan_job scan;
    struct relay_job relay;
};

union result {
    struct scan_result scan;
    struct relay_result relay;
};

/* All rings full at once, with each channel's number in every byte: neither channels nor the two
 * rings of one may overlap. */
static void exercise(enum channel_kind kind, uint32_t workers)
{
    static struct channel ours[REGION_WORKERS_MAX];
    static struct channel theirs[REGION_WORKERS_MAX];
    uint32_t capacity = kind == CHANNEL_SCANNER ? SCAN_JOBS_PER_RING : RELAY_JOBS_PER_RING;
    size_t job_bytes = kind == CHANNEL_SCANNER ? sizeof(struct scan_job) : sizeof(struct relay_job);
    size_t result_bytes =
        kind == CHANNEL_SCANNER ? sizeof(struct scan_result) : sizeof(struct relay_result);
    struct channel_memory dataplane;
    struct channel_memory peer;
    union job job;
    union job expected_job;
    union result result;
    union result expected_result;

    assert_int_equal(channel_memory_create(&dataplane, kind, workers), STATUS_OK);
    check_zeroed(&dataplane);
    assert_int_equal(channel_memory_open(&peer, kind, workers, dup(dataplane.fd)), STATUS_OK);
    for (uint32_t i = 0; i < workers; i++) {
        channel_attach(&ours[i], &dataplane, i);
        channel_attach(&theirs[i], &peer, i);
        atomic_store(theirs[i].busy, i + 1000);
        for (uint32_t n = 0; n < capacity; n++) {
            memset(&job, (int)(i * 3 + n), sizeof(job));
            memset(&result, (int)(i * 5 + n + 1), sizeof(result));
            assert_int_equal(ring_push(&ours[i].jobs, &job), STATUS_OK);
            assert_int_equal(ring_push(&theirs[i].results, &result), STATUS_OK);
        }
        assert_int_equal(ring_push(&ours[i].jobs, &job), STATUS_NO_SPACE);
        assert_int_equal(ring_push(&theirs[i].results, &result), STATUS_NO_SPACE);
    }
    for (uint32_t i = 0; i < workers; i++) {
        assert_int_equal(atomic_load(ours[i].busy), i + 1000);
        for (uint32_t n = 0; n < capacity; n++) {
            memset(&expected_job, (int)(i * 3 + n), sizeof(job));
            memset(&expected_result, (int)(i * 5 + n + 1), sizeof(result));
            assert_int_equal(ring_pop(&theirs[i].jobs, &job), STATUS_OK);
            assert_memory_equal(&job, &expected_job, job_bytes);
            assert_int_equal(ring_pop(&ours[i].results, &result), STATUS_OK);
            assert_memory_equal(&result, &expected_result, result_bytes);
        }
        assert_int_equal(ring_pop(&theirs[i].jobs, &job), STATUS_AGAIN);
        assert_int_equal(ring_pop(&ours[i].results, &result), STATUS_AGAIN);
    }
    channel_memory_close(&peer);
    channel_memory_close(&dataplane);
    assert_int_equal(dataplane.fd, -1);
    assert_null(dataplane.base);
    channel_memory_close(&dataplane); /* twice does nothing */
}

static void test_both_kinds(void **state)
{
    static const uint32_t workers[] = {1, 2, 7, REGION_WORKERS_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(workers) / sizeof(workers[0]); i++) {
        exercise(CHANNEL_SCANNER, workers[i]);
        exercise(CHANNEL_CONTROL, workers[i]);
    }
}

static void refused(enum channel_kind kind, uint32_t workers, int fd)
{
    struct channel_memory peer;

    assert_true(fd >= 0);
    assert_int_equal(channel_memory_open(&peer, kind, workers, fd), STATUS_BAD_FORMAT);
    assert_true(is_closed(fd));
    assert_int_equal(peer.fd, -1);
    assert_null(peer.base);
}

static void test_refusals(void **state)
{
    struct channel_memory memory;
    int small = memfd_create("small", MFD_CLOEXEC);
    int pipes[2];

    (void)state;
    assert_int_equal(channel_memory_create(&memory, CHANNEL_SCANNER, 9), STATUS_OK);
    refused(CHANNEL_CONTROL, 9, dup(memory.fd));
    refused(CHANNEL_SCANNER, 1, dup(memory.fd));
    refused(CHANNEL_SCANNER, 20, dup(memory.fd));
    refused(CHANNEL_SCANNER, 0, dup(memory.fd));
    refused(CHANNEL_SCANNER, REGION_WORKERS_MAX + 1, dup(memory.fd));
    refused(CHANNEL_SCANNER, UINT32_MAX, dup(memory.fd));
    assert_int_equal(ftruncate(small, (off_t)memory.bytes - 4096), 0);
    refused(CHANNEL_SCANNER, 9, small);
    assert_int_equal(pipe(pipes), 0);
    refused(CHANNEL_SCANNER, 9, pipes[0]);
    close(pipes[1]);
    channel_memory_close(&memory);
}

/* A peer must not be able to pull the pages from under the worker. */
static void test_size_is_sealed(void **state)
{
    struct channel_memory memory;

    (void)state;
    assert_int_equal(channel_memory_create(&memory, CHANNEL_CONTROL, 1), STATUS_OK);
    assert_int_equal(ftruncate(memory.fd, 0), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(memory.fd, (off_t)memory.bytes * 2), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(fcntl(memory.fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
    assert_int_equal(errno, EPERM);
    channel_memory_close(&memory);
}

/* No two incarnations share memory. */
static void test_incarnations_are_apart(void **state)
{
    struct channel_memory first;
    struct channel_memory second;
    struct stat one;
    struct stat two;

    (void)state;
    assert_int_equal(channel_memory_create(&first, CHANNEL_SCANNER, 1), STATUS_OK);
    assert_int_equal(channel_memory_create(&second, CHANNEL_SCANNER, 1), STATUS_OK);
    assert_int_equal(fstat(first.fd, &one), 0);
    assert_int_equal(fstat(second.fd, &two), 0);
    assert_true(one.st_ino != two.st_ino);
    memset(first.base, 0xff, first.bytes);
    check_zeroed(&second);
    channel_memory_close(&first);
    channel_memory_close(&second);
}

static void test_reason_texts(void **state)
{
    (void)state;
    for (int a = 0; a < UNSCANNABLE_COUNT; a++) {
        assert_true(strlen(unscannable_text((enum unscannable_reason)a)) > 0);
        for (int b = 0; b < a; b++)
            assert_string_not_equal(unscannable_text((enum unscannable_reason)a),
                                    unscannable_text((enum unscannable_reason)b));
    }
    assert_string_equal(unscannable_text(UNSCANNABLE_TIME), "time limit");
    assert_string_equal(unscannable_text(UNSCANNABLE_COUNT), "unknown reason");
    assert_string_equal(unscannable_text((enum unscannable_reason) - 1), "unknown reason");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_kinds),     cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_size_is_sealed), cmocka_unit_test(test_incarnations_are_apart),
        cmocka_unit_test(test_reason_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
