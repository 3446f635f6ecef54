/* The region: layout, and that nobody but its creator can ever write to it. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "platform/link/region.h"

static const struct region_plan plan = {3, 40, 50, 9};

static int set_up(void **state)
{
    static struct region region;

    assert_int_equal(region_create(&region, &plan, REGION_PAGES_NORMAL), STATUS_OK);
    *state = &region;
    return 0;
}

static int tear_down(void **state)
{
    region_close(*state);
    return 0;
}

static bool is_closed(int fd)
{
    return fcntl(fd, F_GETFD) < 0 && errno == EBADF;
}

static void check_layout(const struct region *region)
{
    const uint8_t *end = region->base + region->bytes;

    for (uint32_t i = 0; i < plan.worker_count; i++)
        assert_int_equal((uintptr_t)region_counters(region, i) % 64, 0);
    assert_true((uint8_t *)region_counters(region, 0) >=
                region->base + sizeof(struct region_header));
    assert_true((uint8_t *)region_counters(region, plan.worker_count) <=
                (uint8_t *)region_message(region, 0));
    assert_true((uint8_t *)region_message(region, plan.message_count) <= region_block(region, 0));
    assert_int_equal((uintptr_t)region_block(region, 1) % MESSAGE_BLOCK_BYTES %
                         (uintptr_t)sysconf(_SC_PAGESIZE),
                     0);
    assert_true(region_block(region, plan.block_count) <= end);
    assert_int_equal(region->bytes, region_bytes(&plan));
    assert_int_equal(region->bytes % 2097152, 0);
}

static void test_create_and_open(void **state)
{
    struct region *writer = *state;
    struct region reader;

    check_layout(writer);
    assert_true(writer->writable);
    assert_int_equal(writer->header.worker_count, plan.worker_count);
    assert_true(writer->header.started_wall_ns > 0);
    region_block(writer, plan.block_count - 1)[MESSAGE_BLOCK_BYTES - 1] = 0xa5;
    region_message(writer, plan.message_count - 1)->size = 4711;
    region_counters(writer, 2)->value[COUNTER_BLOCKS_TOTAL] = 77;

    assert_int_equal(region_open(&reader, dup(writer->fd)), STATUS_OK);
    assert_false(reader.writable);
    assert_memory_equal(&reader.header, &writer->header, sizeof(reader.header));
    check_layout(&reader);
    assert_int_equal(region_block(&reader, plan.block_count - 1)[MESSAGE_BLOCK_BYTES - 1], 0xa5);
    assert_int_equal(region_message(&reader, plan.message_count - 1)->size, 4711);
    assert_int_equal(region_cell(&region_counters(&reader, 2)->value[COUNTER_BLOCKS_TOTAL]), 77);
    /* Seen through the same pages, not a copy. */
    region_block(writer, plan.block_count - 1)[MESSAGE_BLOCK_BYTES - 1] = 0x5a;
    assert_int_equal(region_block(&reader, plan.block_count - 1)[MESSAGE_BLOCK_BYTES - 1], 0x5a);
    region_close(&reader);
    assert_int_equal(reader.fd, -1);
    assert_null(reader.base);
}

static void refused_mapping(int fd, size_t bytes)
{
    errno = 0;
    assert_ptr_equal(mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    assert_int_equal(errno, EPERM);
    errno = 0;
    assert_ptr_equal(mmap(NULL, bytes, PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    assert_int_equal(errno, EPERM);
}

/* What a compromised peer would try with the descriptor it has been given. */
static void test_sealed(void **state)
{
    struct region *writer = *state;
    struct region reader;
    char name[64];
    char byte = 1;
    int fd = dup(writer->fd);
    int again;

    refused_mapping(fd, writer->bytes);
    (void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    again = open(name, O_RDWR | O_CLOEXEC); /* the seals are the file's, not the descriptor's */
    if (again >= 0) {
        refused_mapping(again, writer->bytes);
        close(again);
    }
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(fd, (off_t)writer->bytes * 2), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(pwrite(fd, &byte, 1, 0), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
    assert_int_equal(errno, EPERM);
    assert_true(fcntl(fd, F_GET_SEALS) & F_SEAL_FUTURE_WRITE);

    assert_int_equal(region_open(&reader, fd), STATUS_OK);
    assert_int_equal(mprotect(reader.base, reader.bytes, PROT_READ | PROT_WRITE), -1);
    assert_int_equal(errno, EACCES);
    region_close(&reader);
    /* And the creator still can. */
    writer->base[writer->bytes - 1] = 1;
}

static void test_store_faults_in_a_child(void **state)
{
    struct region *writer = *state;
    struct region reader;
    pid_t child;
    int status = 0;

    assert_int_equal(region_open(&reader, dup(writer->fd)), STATUS_OK);
    region_block(writer, 3)[9] = 0x11;
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)signal(SIGSEGV, SIG_DFL); /* not the sanitizer's report */
        if (region_block(&reader, 3)[9] != 0x11)
            _exit(2);
        *(volatile uint8_t *)&region_block(&reader, 3)[9] = 0x22;
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
    assert_int_equal(region_block(writer, 3)[9], 0x11);
    region_close(&reader);
}

/* A file of `bytes` with that header: what a region of another version might look like. */
static int forge(const struct region_header *header, size_t bytes)
{
    int fd = memfd_create("forged", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
    assert_int_equal(pwrite(fd, header, sizeof(*header), 0), sizeof(*header));
    return fd;
}

static void refused(const struct region_header *header, size_t bytes)
{
    struct region region;
    int fd = forge(header, bytes);

    assert_int_equal(region_open(&region, fd), STATUS_BAD_FORMAT);
    assert_true(is_closed(fd));
    assert_null(region.base);
    assert_int_equal(region.fd, -1);
}

static void test_bad_headers(void **state)
{
    const struct region *writer = *state;
    const struct region_header good = writer->header;
    struct region region;
    size_t bytes = writer->bytes;
    int fd = forge(&good, bytes);

    assert_int_equal(region_open(&region, fd), STATUS_OK); /* the forgery itself is sound */
    region_close(&region);
    assert_true(is_closed(fd));

#define REFUSED(field, value)            \
    do {                                 \
        struct region_header bad = good; \
        bad.field = (value);             \
        refused(&bad, bytes);            \
    } while (0)
    REFUSED(magic, 0);
    REFUSED(magic, good.magic ^ 1);
    REFUSED(bytes, bytes - 1);
    REFUSED(bytes, bytes * 2);
    REFUSED(bytes, UINT64_MAX);
    REFUSED(worker_count, 0);
    REFUSED(worker_count, REGION_WORKERS_MAX);
    REFUSED(worker_count, REGION_WORKERS_MAX + 1);
    REFUSED(worker_count, UINT32_MAX);
    REFUSED(message_count, good.message_count + 20000);
    REFUSED(message_count, UINT32_MAX);
    REFUSED(block_count, good.block_count + 128);
    REFUSED(block_count, UINT32_MAX);
    REFUSED(counters_offset, good.counters_offset + 64);
    REFUSED(counters_offset, UINT64_MAX);
    REFUSED(peers_offset, good.peers_offset + 64);
    REFUSED(peer_count, good.peer_count + 100000);
    REFUSED(messages_offset, good.messages_offset - 4096);
    REFUSED(messages_offset, bytes);
    REFUSED(blocks_offset, good.blocks_offset + 1);
    REFUSED(blocks_offset, UINT64_MAX - MESSAGE_BLOCK_BYTES);
#undef REFUSED
    refused(&good, bytes / 2);
    refused(&good, bytes * 2);
    refused(&good, sizeof(good));
}

static void test_no_region_at_all(void **state)
{
    struct region region;
    int pipes[2];
    int fd = memfd_create("empty", MFD_CLOEXEC);

    (void)state;
    assert_int_equal(region_open(&region, fd), STATUS_BAD_FORMAT);
    assert_true(is_closed(fd));
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(region_open(&region, pipes[0]), STATUS_BAD_FORMAT);
    assert_true(is_closed(pipes[0]));
    close(pipes[1]);
}

static void test_hugepages(void **state)
{
    struct region region;
    struct region reader;
    enum status status = region_create(&region, &plan, REGION_PAGES_HUGE);

    (void)state;
    if (status != STATUS_OK) {
        /* It must have refused cleanly; nothing more can be shown here. */
        assert_int_equal(status, STATUS_NO_MEMORY);
        assert_int_equal(region.fd, -1);
        print_message("SKIPPED: no free 2 MiB hugepage on this machine: the region on hugepages "
                      "was not tested (sysctl vm.nr_hugepages=2 would do)\n");
        skip();
    }
    assert_int_equal(region.header.hugepages, 1);
    refused_mapping(region.fd, region.bytes);
    region_block(&region, 0)[0] = 0x77;
    assert_int_equal(region_open(&reader, dup(region.fd)), STATUS_OK);
    assert_int_equal(region_block(&reader, 0)[0], 0x77);
    region_close(&reader);
    region_close(&region);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create_and_open),         cmocka_unit_test(test_sealed),
        cmocka_unit_test(test_store_faults_in_a_child), cmocka_unit_test(test_bad_headers),
        cmocka_unit_test(test_no_region_at_all),        cmocka_unit_test(test_hugepages),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
