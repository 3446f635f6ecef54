#include "tests/unit/scanner/appliance.h"

/* cmocka.h needs these first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/clock.h"

#define BLOCKS    8192u
#define MESSAGES  64u
#define ARGUMENTS 32

static uid_t run_as;

const char *scanner_program(void)
{
    const char *program = getenv("POSTERN_SCANNER");

    return program != NULL ? program : "postern-scanner-not-named";
}

void appliance_run_as(uid_t uid)
{
    run_as = uid;
}

static void offer(struct appliance *appliance, unsigned number)
{
    struct appliance_slot *slot = &appliance->slot[number];
    struct link_message message = {.type = LINK_CHANNEL, .slot = number, .epoch = ++slot->epoch};

    assert_int_equal(channel_memory_create(&slot->memory, CHANNEL_SCANNER, APPLIANCE_WORKERS),
                     STATUS_OK);
    for (unsigned i = 0; i < APPLIANCE_WORKERS; i++)
        channel_attach(&slot->channels[i], &slot->memory, i);
    slot->ready = false;
    slot->gone = false;
    assert_int_equal(link_send(appliance->link, &message, slot->memory.fd), STATUS_OK);
}

static void hear_one(struct appliance *appliance, const struct link_message *message)
{
    struct appliance_slot *slot;

    assert_true(message->slot < appliance->slots);
    slot = &appliance->slot[message->slot];
    assert_int_equal(message->epoch, slot->epoch);
    memcpy(slot->text, message->text, sizeof(slot->text));
    slot->identity = message->identity;
    if (message->type == LINK_READY) {
        assert_false(slot->ready);
        slot->ready = true;
    } else {
        assert_int_equal(message->type, LINK_GONE);
        assert_false(slot->gone);
        slot->ready = false;
        slot->gone = true;
    }
}

bool appliance_hear(struct appliance *appliance, int wait_ms)
{
    struct pollfd polls = {.fd = appliance->link, .events = POLLIN};
    struct link_message message;
    enum status status;
    int fd = -1;

    (void)poll(&polls, 1, wait_ms);
    while ((status = link_receive(appliance->link, &message, &fd)) == STATUS_OK) {
        assert_int_equal(fd, -1);
        hear_one(appliance, &message);
    }
    return status == STATUS_AGAIN;
}

static void run_scanner(int link, const char *database, unsigned slots,
                        const char *const *arguments)
{
    const char *program = scanner_program();
    const char *argv[ARGUMENTS] = {program,      "--link-fd", "90",
                                   "--database", database,    "--processes"};
    char processes[16];
    int count = 7;

    (void)snprintf(processes, sizeof(processes), "%u", slots);
    argv[6] = processes;
    for (; arguments != NULL && *arguments != NULL && count < ARGUMENTS - 1; arguments++)
        argv[count++] = *arguments;
    if (dup2(link, 90) < 0) /* another number: then it stays open across exec */
        _exit(126);
    if (run_as != 0 && (setgroups(0, NULL) != 0 || setresgid(run_as, run_as, run_as) != 0 ||
                        setresuid(run_as, run_as, run_as) != 0))
        _exit(126);
    (void)execv(program, (char *const *)(uintptr_t)argv);
    _exit(127);
}

static void expect_hello(struct appliance *appliance)
{
    struct pollfd polls = {.fd = appliance->link, .events = POLLIN};
    struct link_message message;
    int fd = -1;

    assert_int_equal(poll(&polls, 1, APPLIANCE_WAIT_MS), 1);
    assert_int_equal(link_receive(appliance->link, &message, &fd), STATUS_OK);
    assert_int_equal(message.type, LINK_HELLO);
    assert_int_equal(message.kind, LINK_KIND_SCANNER);
    assert_int_equal(message.slots, appliance->slots);
    message = (struct link_message){.type = LINK_WELCOME, .workers = APPLIANCE_WORKERS};
    assert_int_equal(link_send(appliance->link, &message, appliance->region.fd), STATUS_OK);
}

static void wait_ready(struct appliance *appliance, unsigned slot)
{
    int64_t deadline_ns = clock_monotonic_ns() + APPLIANCE_WAIT_MS * CLOCK_NS_PER_MS;

    while (!appliance->slot[slot].ready) {
        assert_true(appliance_hear(appliance, 100));
        assert_true(clock_monotonic_ns() < deadline_ns);
    }
}

static void begin(struct appliance *appliance, const char *database, unsigned slots,
                  const char *const *arguments)
{
    struct region_plan plan = {APPLIANCE_WORKERS, MESSAGES, BLOCKS};
    int pair[2];

    *appliance = (struct appliance){.slots = slots};
    assert_int_equal(region_create(&appliance->region, &plan, REGION_PAGES_NORMAL), STATUS_OK);
    assert_int_equal(store_init(&appliance->store, &appliance->region, 0, 0, BLOCKS, 0, MESSAGES),
                     STATUS_OK);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
                     0);
    appliance->link = pair[0];
    appliance->scanner = fork();
    assert_true(appliance->scanner >= 0);
    if (appliance->scanner == 0)
        run_scanner(pair[1], database, slots, arguments);
    close(pair[1]);
    expect_hello(appliance);
    for (unsigned i = 0; i < slots; i++)
        offer(appliance, i);
}

void appliance_start(struct appliance *appliance, const char *database, unsigned slots,
                     const char *const *arguments)
{
    begin(appliance, database, slots, arguments);
    for (unsigned i = 0; i < slots; i++)
        wait_ready(appliance, i);
}

int appliance_stop(struct appliance *appliance)
{
    int how = 0;

    close(appliance->link);
    assert_int_equal(waitpid(appliance->scanner, &how, 0), appliance->scanner);
    for (unsigned i = 0; i < appliance->slots; i++)
        channel_memory_close(&appliance->slot[i].memory);
    store_fini(&appliance->store);
    region_close(&appliance->region);
    return WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
}

void appliance_wait_gone(struct appliance *appliance, unsigned slot)
{
    int64_t deadline_ns = clock_monotonic_ns() + APPLIANCE_WAIT_MS * CLOCK_NS_PER_MS;

    while (!appliance->slot[slot].gone) {
        assert_true(appliance_hear(appliance, 100));
        assert_true(clock_monotonic_ns() < deadline_ns);
    }
}

void appliance_start_lost(struct appliance *appliance, const char *database)
{
    begin(appliance, database, 1, NULL);
    appliance_wait_gone(appliance, 0);
    assert_false(appliance->slot[0].ready);
}

void appliance_revive(struct appliance *appliance, unsigned slot)
{
    assert_true(appliance->slot[slot].gone);
    channel_memory_close(&appliance->slot[slot].memory);
    offer(appliance, slot);
    wait_ready(appliance, slot);
}

void appliance_send(struct appliance *appliance, enum link_type type, unsigned slot, uint32_t epoch)
{
    struct link_message message = {.type = type, .slot = slot, .epoch = epoch};

    assert_int_equal(link_send(appliance->link, &message, -1), STATUS_OK);
}

struct message *appliance_put(struct appliance *appliance, const void *bytes, size_t length)
{
    struct message *message = message_take(&appliance->store);
    size_t done = 0;

    assert_non_null(message);
    /* Odd pieces, so that extents begin and end anywhere. */
    for (size_t piece = 1; done < length; piece = piece * 3 % 16381 + 1) {
        uint32_t block = block_take(&appliance->store, BLOCK_FOR_DATA);
        size_t part = length > 1000000 ? 16000 : piece;

        assert_int_not_equal(block, MESSAGE_BLOCK_NONE);
        if (part > length - done)
            part = length - done;
        /* clang-tidy takes cmocka's failing asserts to return. */
        /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker) */
        memcpy(block_bytes(&appliance->store, block) + 7, (const uint8_t *)bytes + done, part);
        assert_int_equal(message_append(&appliance->store, message, block, 7, (uint32_t)part),
                         STATUS_OK);
        block_give(&appliance->store, block);
        done += part;
    }
    return message;
}

struct message *appliance_put_file(struct appliance *appliance, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct message *message;
    struct stat file;
    void *bytes;

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &file), 0);
    if (file.st_size == 0) {
        close(fd);
        return appliance_put(appliance, "", 0);
    }
    bytes = mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    assert_true(bytes != MAP_FAILED);
    message = appliance_put(appliance, bytes, (size_t)file.st_size);
    munmap(bytes, (size_t)file.st_size);
    close(fd);
    return message;
}

void appliance_push(struct appliance *appliance, unsigned slot, unsigned worker,
                    const struct scan_job *job)
{
    assert_int_equal(ring_push(&appliance->slot[slot].channels[worker].jobs, job), STATUS_OK);
}

void appliance_hand_over(struct appliance *appliance, unsigned slot, unsigned worker,
                         const struct message *message)
{
    struct scan_job job = {.job = ++appliance->jobs,
                           .message = message->index,
                           .generation = message->generation,
                           .length = message->shared->size,
                           .tier = SCAN_TIER_FULL,
                           .kind = JOB_SCAN,
                           .flags = appliance->flags};

    appliance_push(appliance, slot, worker, &job);
}

bool appliance_result(struct appliance *appliance, unsigned slot, unsigned worker,
                      struct scan_result *result)
{
    struct ring *results = &appliance->slot[slot].channels[worker].results;
    int64_t deadline_ns = clock_monotonic_ns() + APPLIANCE_WAIT_MS * CLOCK_NS_PER_MS;

    while (!appliance->slot[slot].gone) {
        enum status status = ring_pop(results, result);

        if (status == STATUS_OK)
            return true;
        assert_int_equal(status, STATUS_AGAIN);
        assert_true(appliance_hear(appliance, 1));
        assert_true(clock_monotonic_ns() < deadline_ns);
    }
    return false;
}

void appliance_scan_file(struct appliance *appliance, const char *path, struct scan_result *result)
{
    struct message *message = appliance_put_file(appliance, path);

    appliance_hand_over(appliance, 0, 1, message);
    assert_true(appliance_result(appliance, 0, 1, result));
    assert_int_equal(result->job, appliance->jobs);
    assert_int_equal(result->message, message->index);
    assert_int_equal(result->generation, message->generation);
    assert_non_null(memchr(result->name, '\0', sizeof(result->name)));
    message_give(&appliance->store, message);
}

/* The child of `parent` at that place; 0 when there is none. */
static pid_t child_of(pid_t parent, unsigned place)
{
    char path[64];
    char line[1024];
    char *position = line;
    FILE *file;
    long pid = 0;

    (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", parent, parent);
    file = fopen(path, "re");
    if (file == NULL)
        return 0; /* it has just ended */
    if (fgets(line, sizeof(line), file) == NULL)
        line[0] = '\0';
    (void)fclose(file);
    for (unsigned i = 0; i <= place; i++) {
        char *end;

        pid = strtol(position, &end, 10);
        if (end == position)
            return 0;
        position = end;
    }
    return (pid_t)pid;
}

pid_t appliance_child(const struct appliance *appliance, unsigned place)
{
    return child_of(appliance->scanner, place);
}

pid_t appliance_grandchild(const struct appliance *appliance, unsigned place)
{
    pid_t keeper = appliance_child(appliance, place);

    return keeper == 0 ? 0 : child_of(keeper, 0);
}

pid_t appliance_next_grandchild(const struct appliance *appliance, unsigned place, pid_t last)
{
    int64_t deadline_ns = clock_monotonic_ns() + APPLIANCE_WAIT_MS * CLOCK_NS_PER_MS;
    pid_t next = appliance_grandchild(appliance, place);

    while (next == 0 || next == last) {
        assert_true(clock_monotonic_ns() < deadline_ns);
        (void)poll(NULL, 0, 1);
        next = appliance_grandchild(appliance, place);
    }
    return next;
}
