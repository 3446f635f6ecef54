/* The supervisor with real child programs: small shell scripts in a temporary directory, and times
 * shortened so that each case takes well under a second. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/command/command.h"
#include "control/command/supervisor.h"
#include "platform/clock.h"

static const struct supervisor_times test_times = {
    .backoff_first_ns = 10 * CLOCK_NS_PER_MS,
    .backoff_max_ns = 40 * CLOCK_NS_PER_MS,
    .at_once_ns = 500 * CLOCK_NS_PER_MS,
    .early_ns = CLOCK_NS_PER_SECOND,
    .early_deaths_max = 3,
    .drain_ns = 3 * CLOCK_NS_PER_SECOND,
    .stop_ns = 300 * CLOCK_NS_PER_MS,
};

#define LIVES                                     \
    "trap 'echo term >> NAME.log; exit 0' TERM\n" \
    "trap 'echo hup >> NAME.log' HUP\n"           \
    "echo start $1 $2 >> NAME.log\n"              \
    "while :; do sleep 0.02; done\n"

struct rig {
    char directory[64];
    char paths[3][128];
    int64_t act_ns;    /* when to send `signal_number` to ourselves */
    int signal_number; /* 0: none */
    int64_t again_ns;  /* and when to send SIGTERM */
    bool reload_answer;
    bool served; /* before the first program has started */
    unsigned reload_count;
    struct supervisor supervisor;
};

static const char *const names[] = {"first", "second", "third"};

/* `text` with NAME replaced by directory/name, as an executable script. */
static void write_script(struct rig *rig, unsigned index, const char *text)
{
    char script[2048] = "#!/bin/sh\n";
    char name[96];
    FILE *file;

    snprintf(name, sizeof(name), "%s/%s", rig->directory, names[index]);
    for (const char *at = text; *at != '\0';) {
        size_t used = strlen(script);

        if (strncmp(at, "NAME", 4) == 0) {
            snprintf(script + used, sizeof(script) - used, "%s", name);
            at += 4;
        } else {
            assert_true(used + 2 < sizeof(script));
            script[used] = *at++;
            script[used + 1] = '\0';
        }
    }
    snprintf(rig->paths[index], sizeof(rig->paths[index]), "%s", name);
    file = fopen(name, "w");
    assert_non_null(file);
    fputs(script, file);
    fclose(file);
    assert_int_equal(chmod(name, 0755), 0);
}

static void read_log(const struct rig *rig, unsigned index, char *to, size_t size)
{
    char path[160];
    FILE *file;
    size_t length = 0;

    snprintf(path, sizeof(path), "%s.log", rig->paths[index]);
    file = fopen(path, "r");
    if (file != NULL) {
        length = fread(to, 1, size - 1, file);
        fclose(file);
    }
    to[length] = '\0';
}

static unsigned count_lines(const struct rig *rig, unsigned index, const char *line)
{
    char text[4096];
    unsigned count = 0;

    read_log(rig, index, text, sizeof(text));
    for (char *at = strtok(text, "\n"); at != NULL; at = strtok(NULL, "\n"))
        count += strncmp(at, line, strlen(line)) == 0;
    return count;
}

static bool reload(void *context)
{
    struct rig *rig = context;

    rig->reload_count++;
    return rig->reload_answer;
}

/* Sends the planned signals once every program has said that it started. */
static int64_t turn(void *context, int64_t now_ns, int *fd, short *events)
{
    struct rig *rig = context;
    bool all = true;

    (void)events;
    *fd = -1;
    for (unsigned i = 0; i < 3; i++)
        all = all && (rig->act_ns > 0 || count_lines(rig, i, "start") > 0);
    if (all && rig->act_ns == 0) {
        rig->act_ns = now_ns;
        if (rig->signal_number != 0)
            kill(getpid(), rig->signal_number);
        rig->again_ns = now_ns + 200 * CLOCK_NS_PER_MS;
    }
    if (rig->act_ns > 0 && now_ns >= rig->again_ns) {
        kill(getpid(), SIGTERM);
        return INT64_MAX;
    }
    return now_ns + 10 * CLOCK_NS_PER_MS;
}

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    assert_non_null(rig);
    snprintf(rig->directory, sizeof(rig->directory), "/tmp/postern-test-XXXXXX");
    assert_non_null(mkdtemp(rig->directory));
    for (unsigned i = 0; i < 3; i++)
        write_script(rig, i, LIVES);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", rig->directory);
    assert_int_equal(system(command), 0); // NOLINT(cert-env33-c): a path of our own
    free(rig);
    return 0;
}

static int run(struct rig *rig, bool with_turn)
{
    struct supervisor_watch watch = {
        .context = rig, .reload = reload, .turn = with_turn ? turn : NULL};
    int code;

    assert_int_equal(supervisor_open(&rig->supervisor, "/etc/some.yaml", &test_times), STATUS_OK);
    for (unsigned i = 0; i < 3; i++)
        supervisor_add(&rig->supervisor, names[i], rig->paths[i]);
    if (rig->served)
        supervisor_served(&rig->supervisor);
    code = supervisor_run(&rig->supervisor, &watch);
    supervisor_close(&rig->supervisor);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(rig->supervisor.programs[i].pid, 0);
    return code;
}

static void test_term_ends_all_with_zero(void **state)
{
    struct rig *rig = *state;

    rig->signal_number = SIGTERM;
    assert_int_equal(run(rig, true), EXIT_OK);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(count_lines(rig, i, "start -c /etc/some.yaml"), 1);
        assert_int_equal(count_lines(rig, i, "term"), 1);
    }
}

static void test_first_drains_before_the_others_hear(void **state)
{
    struct rig *rig = *state;

    /* The first takes its time; the second records whether the first had ended by then. */
    write_script(rig, 0,
                 "trap 'sleep 0.3; echo drained >> NAME.log; exit 0' TERM\n"
                 "echo start >> NAME.log\nwhile :; do sleep 0.02; done\n");
    write_script(rig, 1,
                 "trap 'cat ${0%second}first.log >> NAME.log; exit 0' TERM\n"
                 "echo start >> NAME.log\nwhile :; do sleep 0.02; done\n");
    rig->signal_number = SIGINT;
    rig->again_ns = INT64_MAX;
    assert_int_equal(run(rig, true), EXIT_OK);
    assert_int_equal(count_lines(rig, 1, "drained"), 1);
    assert_int_equal(count_lines(rig, 2, "term"), 1);
}

static void test_what_does_not_stop_is_killed(void **state)
{
    struct rig *rig = *state;
    int64_t began_ns = clock_monotonic_ns();

    write_script(rig, 1, "trap '' TERM\necho start >> NAME.log\nwhile :; do sleep 0.02; done\n");
    rig->signal_number = SIGTERM;
    assert_int_equal(run(rig, true), EXIT_OK);
    assert_true(clock_monotonic_ns() - began_ns >= test_times.stop_ns);
    assert_int_equal(count_lines(rig, 2, "term"), 1);
}

static void test_dead_program_is_started_again(void **state)
{
    struct rig *rig = *state;

    /* Dies by a signal the first three times, then lives. */
    write_script(rig, 1,
                 "echo life >> NAME.log\n"
                 "[ $(wc -l < NAME.log) -le 3 ] && kill -9 $$\n" LIVES);
    assert_int_equal(run(rig, true), EXIT_OK);
    assert_int_equal(count_lines(rig, 1, "life"), 4);
    assert_int_equal(rig->supervisor.programs[1].restart_count, 3);
    assert_int_equal(rig->supervisor.programs[0].restart_count, 0);
    /* 10, 20, 40 ms were waited; the next pause stays at the greatest. */
    assert_int_equal(rig->supervisor.programs[1].backoff_ns, test_times.backoff_max_ns);
}

static void test_bad_configuration_ends_the_run(void **state)
{
    struct rig *rig = *state;

    write_script(rig, 1, "sleep 0.1; exit 78\n");
    assert_int_equal(run(rig, false), EXIT_CONFIG);
    assert_int_equal(rig->supervisor.programs[1].restart_count, 0);
    assert_int_equal(count_lines(rig, 0, "term"), 1);
    assert_int_equal(count_lines(rig, 2, "term"), 1);
}

static void test_wrong_usage_ends_the_run(void **state)
{
    struct rig *rig = *state;

    write_script(rig, 0, "sleep 0.1; exit 2\n");
    assert_int_equal(run(rig, false), EXIT_USAGE);
    assert_int_equal(count_lines(rig, 1, "term"), 1);
}

static void test_three_early_failures_end_the_run(void **state)
{
    struct rig *rig = *state;

    write_script(rig, 2, "echo life >> NAME.log\nsleep 0.05\nexit 1\n");
    assert_int_equal(run(rig, false), EXIT_FAILED);
    assert_int_equal(count_lines(rig, 2, "life"), 3);
}

static void test_early_failures_must_be_in_a_row(void **state)
{
    struct rig *rig = *state;

    /* 1, 1, killed, 1, 1, then lives: never three in a row. */
    write_script(rig, 2,
                 "echo life >> NAME.log\n"
                 "case $(wc -l < NAME.log) in 1|2|4|5) exit 1;; 3) kill -9 $$;; esac\n" LIVES);
    assert_int_equal(run(rig, true), EXIT_OK);
    assert_int_equal(count_lines(rig, 2, "life"), 6);
}

/* Whatever program and whatever it says: it is started again until it can, and only it. */
static void test_nothing_ends_what_has_served(void **state)
{
    static const char *const ends[] = {"exit 78", "exit 2", "exit 1"};
    struct rig *rig = *state;
    char script[256];

    rig->served = true;
    for (unsigned i = 0; i < 3; i++) {
        snprintf(script, sizeof(script),
                 "echo life >> NAME.log\n[ $(wc -l < NAME.log) -le 5 ] && %s\n" LIVES, ends[i]);
        write_script(rig, i, script);
    }
    assert_int_equal(run(rig, true), EXIT_OK);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(count_lines(rig, i, "life"), 6);
        assert_int_equal(count_lines(rig, i, "term"), 1);
        assert_int_equal(rig->supervisor.programs[i].restart_count, 5);
    }
    assert_string_equal(rig->supervisor.programs[0].last_end,
                        "ended with exit code 78 (bad configuration or database)");
    assert_int_equal(rig->supervisor.programs[0].backoff_ns, test_times.backoff_max_ns);
}

/* One that works for a while before it dies is away for a twentieth of the time, not for the
 * greatest pause; what it did wrong at its start is forgotten. */
static void test_away_for_a_share_of_its_life(void **state)
{
    struct rig *rig = *state;
    struct supervisor_program *program = &rig->supervisor.programs[1];

    write_script(rig, 1,
                 "echo life >> NAME.log\n"
                 "case $(wc -l < NAME.log) in 1|2) kill -9 $$;; 3) sleep 0.6; kill -9 $$;; esac\n"
                 "echo pause >> NAME.log\n" LIVES);
    assert_int_equal(run(rig, true), EXIT_OK);
    assert_int_equal(program->restart_count, 3);
    assert_int_equal(program->backoff_ns, test_times.backoff_first_ns);
    assert_int_equal(count_lines(rig, 1, "life"), 4);
}

static void test_program_that_is_not_there(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(unlink(rig->paths[1]), 0);
    assert_int_equal(run(rig, false), EXIT_FAILED);
}

static void test_hup_is_forwarded_when_good(void **state)
{
    struct rig *rig = *state;

    rig->signal_number = SIGHUP;
    rig->reload_answer = true;
    assert_int_equal(run(rig, true), EXIT_OK);
    assert_int_equal(rig->reload_count, 1);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(count_lines(rig, i, "hup"), 1);
}

static void test_hup_is_kept_back_when_bad(void **state)
{
    struct rig *rig = *state;

    rig->signal_number = SIGHUP;
    rig->reload_answer = false;
    assert_int_equal(run(rig, true), EXIT_OK);
    assert_int_equal(rig->reload_count, 1);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(count_lines(rig, i, "hup"), 0);
}

/* Killed without a chance to say anything, a supervisor leaves no program behind. */
static void test_programs_die_with_the_supervisor(void **state)
{
    struct rig *rig = *state;
    pid_t pid;
    int wait_status;

    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        run(rig, false);
        _exit(0);
    }
    for (unsigned tries = 0; tries < 500; tries++) {
        if (count_lines(rig, 0, "start") + count_lines(rig, 1, "start") +
                count_lines(rig, 2, "start") ==
            3)
            break;
        poll(NULL, 0, 10);
    }
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &wait_status, 0), pid);
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned tries = 0; tries < 500 && count_lines(rig, i, "term") == 0; tries++)
            poll(NULL, 0, 10);
        assert_int_equal(count_lines(rig, i, "term"), 1);
    }
}

int main(void)
{
#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_term_ends_all_with_zero),          CASE(test_first_drains_before_the_others_hear),
        CASE(test_what_does_not_stop_is_killed),     CASE(test_dead_program_is_started_again),
        CASE(test_bad_configuration_ends_the_run),   CASE(test_wrong_usage_ends_the_run),
        CASE(test_three_early_failures_end_the_run), CASE(test_early_failures_must_be_in_a_row),
        CASE(test_nothing_ends_what_has_served),     CASE(test_away_for_a_share_of_its_life),
        CASE(test_program_that_is_not_there),        CASE(test_hup_is_forwarded_when_good),
        CASE(test_hup_is_kept_back_when_bad),        CASE(test_programs_die_with_the_supervisor),
    };
#undef CASE

    return cmocka_run_group_tests(tests, NULL, NULL);
}
