/* Birth and death of scanner children, and what a job cannot do to them. */
#include "tests/unit/scanner/appliance.h"
#include "tests/unit/scanner/samples.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/clock.h"
#include "signatures/prefilter/digest.h"

static void pause_ms(long ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    (void)nanosleep(&time, NULL);
}

static void expect_works(struct appliance *appliance)
{
    struct scan_result result;

    appliance_scan_file(appliance, sample("clean.eml"), &result);
    assert_int_equal(result.verdict, VERDICT_CLEAN);
    appliance_scan_file(appliance, sample("eicar-zip.eml"), &result);
    assert_int_equal(result.verdict, VERDICT_INFECTED);
}

/* Hands over a mail that takes more than a second and waits until the child is busy with it. */
static void start_long_job(struct appliance *appliance)
{
    struct message *message = appliance_put_file(appliance, sample("slow.eml"));
    int64_t deadline_ns = clock_monotonic_ns() + 10 * CLOCK_NS_PER_SECOND;

    appliance_hand_over(appliance, 0, 0, message);
    while (atomic_load(appliance->slot[0].channels[0].busy) == 0) {
        assert_true(clock_monotonic_ns() < deadline_ns);
        pause_ms(1);
    }
    /* It is not given back: it may not have been copied yet. */
}

static void killed_child_is_replaced(void **state)
{
    struct appliance appliance;
    struct scan_result result;
    pid_t child;

    (void)state;
    appliance_start(&appliance, sample("test.ndb"), 1, NULL);
    expect_works(&appliance);
    start_long_job(&appliance);
    child = appliance_child(&appliance, 0);
    assert_true(child > 0);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_false(appliance_result(&appliance, 0, 0, &result));
    assert_non_null(strstr(appliance.slot[0].text, "signal 9"));
    appliance_revive(&appliance, 0);
    assert_int_not_equal(appliance_child(&appliance, 0), child);
    expect_works(&appliance);
    assert_int_equal(appliance_stop(&appliance), 0);
}

static void every_child_says_what_is_loaded(void **state)
{
    struct appliance appliance;
    uint8_t digest[LINK_DIGEST_BYTES];

    (void)state;
    assert_int_equal(database_digest(sample("test.ndb"), digest), STATUS_OK);
    appliance_start(&appliance, sample("test.ndb"), 2, NULL);
    assert_int_equal(kill(appliance_child(&appliance, 0), SIGKILL), 0);
    appliance_wait_gone(&appliance, 0);
    assert_int_equal(appliance.slot[0].identity.profile, 0); /* a death says nothing of it */
    appliance_revive(&appliance, 0);
    for (unsigned i = 0; i < 2; i++) {
        const struct link_identity *identity = &appliance.slot[i].identity;

        assert_memory_equal(identity->database, digest, sizeof(digest));
        assert_memory_equal(appliance.slot[i].text + strlen("ClamAV "), identity->library,
                            strlen(identity->library));
        assert_true(strlen(identity->library) >= 5);
        assert_int_equal(identity->profile, PREFILTER_PROFILE);
    }
    assert_int_equal(appliance_stop(&appliance), 0);
}

/* Minor page faults of a process so far (proc(5)). */
static unsigned long page_faults(pid_t pid)
{
    char path[64];
    char line[1024] = "";
    unsigned long faults = 0;
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof(line), file));
    assert_int_equal(fclose(file), 0);
    assert_int_equal(sscanf(strrchr(line, ')') + 1, " %*c %*d %*d %*d %*d %*d %*u %lu", &faults),
                     1);
    return faults;
}

/* Printed, not judged: how many there are depends on libclamav and the kernel. */
static void page_faults_of_a_scan(void **state)
{
    struct appliance appliance;
    unsigned long before = 0;
    pid_t child;

    (void)state;
    appliance_start(&appliance, sample("test.ndb"), 1, NULL);
    child = appliance_child(&appliance, 0);
    for (unsigned i = 0; i < 120; i++) {
        struct scan_result result;

        if (i == 20)
            before = page_faults(child);
        appliance_scan_file(&appliance, sample("clean.eml"), &result);
        assert_int_equal(result.verdict, VERDICT_CLEAN);
    }
    print_message("page faults a scan: %.1f\n", (double)(page_faults(child) - before) / 100);
    assert_int_equal(appliance_stop(&appliance), 0);
}

static void kill_message_kills_that_epoch_only(void **state)
{
    struct appliance appliance;
    struct scan_result result;

    (void)state;
    appliance_start(&appliance, sample("test.ndb"), 2, NULL);
    appliance_send(&appliance, LINK_KILL, 0, 7);
    pause_ms(50);
    expect_works(&appliance);
    assert_false(appliance.slot[0].gone);
    start_long_job(&appliance);
    appliance_send(&appliance, LINK_KILL, 0, 1);
    assert_false(appliance_result(&appliance, 0, 0, &result));
    assert_false(appliance.slot[1].gone);
    appliance_revive(&appliance, 0);
    appliance_send(&appliance, LINK_KILL, 0, 1); /* late: epoch 2 lives on */
    pause_ms(50);
    expect_works(&appliance);
    assert_false(appliance.slot[0].gone);
    assert_int_equal(appliance_stop(&appliance), 0);
}

static void children_that_die_at_once_are_delayed(void **state)
{
    struct appliance appliance;
    int64_t started_ns = 0;

    (void)state;
    appliance_start(&appliance, sample("test.ndb"), 1, NULL);
    for (int i = 0; i < 6; i++) {
        started_ns = clock_monotonic_ns();
        assert_int_equal(kill(appliance_child(&appliance, 0), SIGKILL), 0);
        appliance_wait_gone(&appliance, 0);
        appliance_revive(&appliance, 0);
    }
    /* 10, 20, 40, 80, 160, 320 ms */
    assert_true(clock_monotonic_ns() - started_ns >= 320 * CLOCK_NS_PER_MS);
    assert_true(clock_monotonic_ns() - started_ns < 5 * CLOCK_NS_PER_SECOND);
    expect_works(&appliance);
    assert_int_equal(appliance_stop(&appliance), 0);
}

/* What the first scanner has counted. */
static uint64_t counted(const struct appliance *appliance, enum scanner_counter counter)
{
    return channel_row(&appliance->slot[0].memory)->value[counter];
}

static void expect_refused(struct appliance *appliance, const struct scan_job *job)
{
    struct scan_result result;

    appliance_push(appliance, 0, 0, job);
    assert_true(appliance_result(appliance, 0, 0, &result));
    assert_int_equal(result.job, job->job);
    assert_int_equal(result.message, job->message);
    assert_int_equal(result.generation, job->generation);
    assert_int_equal(result.verdict, VERDICT_UNSCANNABLE);
    assert_int_equal(result.reason, UNSCANNABLE_ENGINE_ERROR);
    assert_int_equal(result.kind, JOB_SCAN);
    assert_true(strlen(result.name) > 0);
}

/* An answer that would come too late is not worked for. */
static void late_jobs_are_not_begun(void **state)
{
    struct appliance appliance;
    struct message *message;
    struct scan_result result;
    struct scan_job job;

    (void)state;
    appliance_start(&appliance, sample("test.ndb"), 1, NULL);
    message = appliance_put_file(&appliance, sample("clean.eml"));
    job = (struct scan_job){.job = 7,
                            .message = message->index,
                            .generation = message->generation,
                            .length = message->shared->size,
                            .tier = SCAN_TIER_FULL,
                            .kind = JOB_SCAN,
                            .deadline_ns = clock_monotonic_ns()};
    appliance_push(&appliance, 0, 0, &job);
    assert_true(appliance_result(&appliance, 0, 0, &result));
    assert_int_equal(result.verdict, VERDICT_UNSCANNABLE);
    assert_int_equal(result.reason, UNSCANNABLE_TIME);
    job.deadline_ns = clock_monotonic_ns() + 60 * CLOCK_NS_PER_SECOND;
    appliance_push(&appliance, 0, 0, &job);
    assert_true(appliance_result(&appliance, 0, 0, &result));
    assert_int_not_equal(result.verdict, VERDICT_UNSCANNABLE);
    message_give(&appliance.store, message);
    assert_int_equal(appliance_stop(&appliance), 0);
}

static void garbage_jobs_are_answered(void **state)
{
    struct appliance appliance;
    struct message *message;
    struct scan_job good;
    struct scan_job job;
    uint32_t saved;

    (void)state;
    appliance_start(&appliance, sample("test.ndb"), 1, NULL);
    message = appliance_put_file(&appliance, sample("clean.eml"));
    good = (struct scan_job){.job = 99,
                             .message = message->index,
                             .generation = message->generation,
                             .length = message->shared->size,
                             .tier = SCAN_TIER_FULL,
                             .kind = JOB_SCAN};
    job = good;
    job.generation++;
    expect_refused(&appliance, &job);
    job = good;
    job.length = UINT32_MAX;
    expect_refused(&appliance, &job);
    job = good;
    job.message = UINT32_MAX;
    expect_refused(&appliance, &job);
    job = good;
    job.tier = 77;
    expect_refused(&appliance, &job);
    assert_int_equal(counted(&appliance, SCANNER_COUNTER_REFUSED), 4);
    job = good;
    job.kind = JOB_RELAY;
    expect_refused(&appliance, &job);
    job.kind = 0;
    expect_refused(&appliance, &job);
    job = good;
    job.signatures = 1; /* it has others */
    expect_refused(&appliance, &job);
    assert_int_equal(counted(&appliance, SCANNER_COUNTER_REFUSED), 7);
    saved = message->shared->extent_count;
    message->shared->extent_count = UINT32_MAX;
    expect_refused(&appliance, &good);
    message->shared->extent_count = saved;
    saved = message->shared->extent_blocks[0];
    message->shared->extent_blocks[0] = UINT32_MAX - 1;
    expect_refused(&appliance, &good);
    message->shared->extent_blocks[0] = saved;
    message_give(&appliance.store, message);
    expect_works(&appliance);
    assert_false(appliance.slot[0].gone);
    assert_int_equal(appliance_stop(&appliance), 0);
}

static void broken_ring_ends_the_child_only(void **state)
{
    struct appliance appliance;

    (void)state;
    appliance_start(&appliance, sample("test.ndb"), 1, NULL);
    atomic_store(&appliance.slot[0].channels[1].jobs.shared->produced, UINT32_MAX / 2);
    appliance_wait_gone(&appliance, 0);
    appliance_revive(&appliance, 0);
    expect_works(&appliance);
    assert_int_equal(appliance_stop(&appliance), 0);
}

static void all_channels_are_served(void **state)
{
    struct appliance appliance;
    struct message *message;
    struct scan_result result;

    (void)state;
    appliance_start(&appliance, sample("test.ndb"), 2, NULL);
    message = appliance_put_file(&appliance, sample("eicar-zip.eml"));
    for (unsigned i = 0; i < SCAN_JOBS_PER_RING * 4; i++)
        appliance_hand_over(&appliance, i % 2, i / 2 % 2, message);
    for (unsigned i = 0; i < SCAN_JOBS_PER_RING * 4; i++) {
        assert_true(appliance_result(&appliance, i % 2, i / 2 % 2, &result));
        assert_int_equal(result.job, i + 1);
        assert_int_equal(result.verdict, VERDICT_INFECTED);
    }
    assert_int_equal(appliance_stop(&appliance), 0);
}

/* Gone, or dead and waiting for an init that reaps. */
static bool is_dead(pid_t pid)
{
    char path[64];
    char line[512] = "";
    const char *end;
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    file = fopen(path, "re");
    if (file == NULL)
        return true;
    if (fgets(line, sizeof(line), file) == NULL)
        line[0] = '\0';
    (void)fclose(file);
    end = strrchr(line, ')');
    return end == NULL || end[2] == 'Z' || end[2] == 'X';
}

static void expect_dies(pid_t pid)
{
    for (int i = 0; i < 500 && !is_dead(pid); i++)
        pause_ms(10);
    assert_true(is_dead(pid));
}

static void closed_link_ends_all(void **state)
{
    struct appliance appliance;
    pid_t child;

    (void)state;
    appliance_start(&appliance, sample("test.ndb"), 1, NULL);
    child = appliance_child(&appliance, 0);
    start_long_job(&appliance);
    assert_int_equal(appliance_stop(&appliance), 0);
    assert_true(is_dead(child));
    assert_true(samples_scratch_is_empty());
}

static void term_ends_all(void **state)
{
    struct appliance appliance;
    pid_t child;

    (void)state;
    appliance_start(&appliance, sample("test.ndb"), 1, NULL);
    child = appliance_child(&appliance, 0);
    start_long_job(&appliance);
    assert_int_equal(kill(appliance.scanner, SIGTERM), 0);
    expect_dies(child);
    assert_int_equal(appliance_stop(&appliance), 0);
    assert_true(samples_scratch_is_empty());
}

static void child_dies_with_its_parent(void **state)
{
    struct appliance appliance;
    pid_t child;

    (void)state;
    appliance_start(&appliance, sample("test.ndb"), 1, NULL);
    child = appliance_child(&appliance, 0);
    assert_int_equal(kill(appliance.scanner, SIGKILL), 0);
    expect_dies(child);
    assert_int_equal(appliance_stop(&appliance), 128 + SIGKILL);
    /* What a killed parent leaves behind is empty directories. */
    assert_int_equal(system("rmdir \"$TMPDIR\"/postern-scanner.*/0 \"$TMPDIR\"/postern-scanner.*"),
                     0);
}

/* The value of that line of /proc/PID/status. */
static void status_value(pid_t pid, const char *key, char *value, size_t size)
{
    char path[64];
    char line[256];
    FILE *file;

    value[0] = '\0';
    (void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
    file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0)
            (void)snprintf(value, size, "%.*s", (int)strcspn(line + strlen(key) + 1, "\t\n"),
                           line + strlen(key) + 1);
    }
    (void)fclose(file);
}

static void expect_own_namespace(pid_t pid, const char *name)
{
    char path[64];
    char ours[64] = "";
    char theirs[64] = "";

    (void)snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
    assert_true(readlink(path, ours, sizeof(ours) - 1) > 0);
    (void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, name);
    assert_true(readlink(path, theirs, sizeof(theirs) - 1) > 0);
    assert_string_not_equal(ours, theirs);
}

static void sandbox_holds(void **state)
{
    static const char *const namespaces[] = {"mnt", "net", "ipc", "uts", "pid"};
    struct appliance appliance;
    char value[64];
    pid_t child;

    (void)state;
    if (geteuid() != 0) {
        print_error("SKIPPED: only root may look at a child that is not dumpable\n");
        skip();
    }
    appliance_start(&appliance, sample("test.ndb"), 1, NULL);
    child = appliance_grandchild(&appliance, 0);
    status_value(child, "Uid:", value, sizeof(value));
    assert_true(strtoul(value, NULL, 10) > 0);
    status_value(child, "Gid:", value, sizeof(value));
    assert_true(strtoul(value, NULL, 10) > 0);
    status_value(child, "CapPrm:", value, sizeof(value));
    assert_string_equal(value, "0000000000000000");
    status_value(child, "CapBnd:", value, sizeof(value));
    assert_string_equal(value, "0000000000000000");
    status_value(child, "NoNewPrivs:", value, sizeof(value));
    assert_string_equal(value, "1");
    for (size_t i = 0; i < sizeof(namespaces) / sizeof(namespaces[0]); i++)
        expect_own_namespace(child, namespaces[i]);
    assert_int_equal(appliance_stop(&appliance), 0);
}

static void write_configuration(const char *path)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    (void)fprintf(file,
                  "hostname: mx.example\n"
                  "runtime_directory: %s\n"
                  "ports:\n"
                  "  - kind: tap\n"
                  "    interface: tp0\n"
                  "    address: 198.18.0.1/24\n"
                  "scanner:\n"
                  "  database: %s\n"
                  "  processes: 3\n"
                  "  user: nobody\n"
                  "customers:\n"
                  "  - name: a\n"
                  "    domains: [a.example]\n"
                  "    route: {host: 127.0.0.1, port: 2525}\n",
                  sample("run"), sample("test.ndb"));
    assert_int_equal(fclose(file), 0);
}

static void expect_connection(int listening)
{
    struct pollfd polls = {.fd = listening, .events = POLLIN};
    struct link_message message;
    uint32_t uid;
    int fd = -1;
    int link = -1;

    assert_int_equal(poll(&polls, 1, APPLIANCE_WAIT_MS), 1);
    assert_int_equal(link_accept(listening, &link, &uid), STATUS_OK);
    polls.fd = link;
    assert_int_equal(poll(&polls, 1, APPLIANCE_WAIT_MS), 1);
    assert_int_equal(link_receive(link, &message, &fd), STATUS_OK);
    assert_int_equal(message.type, LINK_HELLO);
    assert_int_equal(message.slots, 3);
    close(link);
}

static void configured_scanner_waits_and_comes_again(void **state)
{
    const char *argv[] = {scanner_program(), "-c", sample("postern.yaml"), NULL};
    int listening = -1;
    int how = 0;
    pid_t pid;

    (void)state;
    assert_int_equal(mkdir(sample("run"), 0755), 0);
    write_configuration(argv[2]);
    pid = fork();
    if (pid == 0) {
        (void)execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    pause_ms(300); /* nobody listens yet */
    assert_int_equal(link_listen(sample("run/dataplane.sock"), UINT32_MAX, &listening), STATUS_OK);
    expect_connection(listening);
    expect_connection(listening); /* hung up on, it comes again */
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(waitpid(pid, &how, 0), pid);
    assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
    close(listening);
}

static int exit_status(const char *const *argv)
{
    int how = 0;
    pid_t pid = fork();

    if (pid == 0) {
        (void)execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &how, 0), pid);
    return WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
}

static int status_with_database(const char *database)
{
    const char *argv[] = {scanner_program(), "--link-fd",   "0", "--database",
                          database,          "--processes", "1", NULL};

    return exit_status(argv);
}

static void bad_starts_are_refused(void **state)
{
    const char *usage[] = {scanner_program(), "--link-fd", "0", NULL};
    const char *config[] = {scanner_program(), "-c", sample("nothing.yaml"), NULL};
    FILE *file;

    (void)state;
    assert_int_equal(status_with_database(sample("nothing.ndb")), 78);
    assert_int_equal(mkdir(sample("empty"), 0755), 0);
    assert_int_equal(status_with_database(sample("empty")), 78);
    file = fopen(sample("broken.ndb"), "we");
    assert_non_null(file);
    assert_true(fputs("garbage:zz\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(status_with_database(sample("broken.ndb")), 78);
    assert_int_equal(exit_status(usage), 2);
    assert_int_equal(exit_status(config), 78);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_child_is_replaced),
        cmocka_unit_test(every_child_says_what_is_loaded),
        cmocka_unit_test(page_faults_of_a_scan),
        cmocka_unit_test(kill_message_kills_that_epoch_only),
        cmocka_unit_test(children_that_die_at_once_are_delayed),
        cmocka_unit_test(garbage_jobs_are_answered),
        cmocka_unit_test(late_jobs_are_not_begun),
        cmocka_unit_test(broken_ring_ends_the_child_only),
        cmocka_unit_test(all_channels_are_served),
        cmocka_unit_test(closed_link_ends_all),
        cmocka_unit_test(term_ends_all),
        cmocka_unit_test(child_dies_with_its_parent),
        cmocka_unit_test(sandbox_holds),
        cmocka_unit_test(configured_scanner_waits_and_comes_again),
        cmocka_unit_test(bad_starts_are_refused),
    };

    return cmocka_run_group_tests(tests, samples_make, samples_remove);
}
