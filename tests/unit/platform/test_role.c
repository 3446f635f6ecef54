/* The table of processes: what a process becomes by it, and that the document shows it as it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/role.h"

static const char *document;

static int oom_score(void)
{
    FILE *file = fopen("/proc/self/oom_score_adj", "re");
    int score = 0;

    if (file == NULL || fscanf(file, "%d", &score) != 1) // NOLINT(cert-err34-c): the kernel's
        _exit(9);
    (void)fclose(file);
    return score;
}

/* In a process of its own, with so many descriptors allowed; the exit code tells what went wrong.
 */
static int begin(enum role role, rlim_t soft, rlim_t hard, rlim_t expected)
{
    int status = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        struct rlimit limit = {.rlim_cur = soft, .rlim_max = hard};

        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            _exit(1);
        /* Not root: what is asked of the hard limit, too, is refused. */
        if (geteuid() == 0 && setuid(65534) != 0)
            _exit(2);
        if (role_begin(role) != expected)
            _exit(3);
        if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur != expected)
            _exit(4);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_descriptors_are_raised(void **state)
{
    struct rlimit limit;
    unsigned wanted = role_row(ROLE_CONTROL)->files;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_max >= wanted)
        assert_int_equal(begin(ROLE_CONTROL, 64, wanted, wanted), 0);
    assert_int_equal(begin(ROLE_CONTROL, 64, 500, 500), 0);        /* as far as it goes */
    assert_int_equal(begin(ROLE_SUPERVISOR, 1500, 2000, 2000), 0); /* nothing is taken away */
}

static void test_who_is_killed_first(void **state)
{
    int status = 0;
    pid_t pid;

    (void)state;
    for (int role = 0; role < ROLE_COUNT; role++) {
        int score = role_row((enum role)role)->oom_score_adj;

        assert_in_range(score + 1000, 1, 2000); /* -1000 would be never, not even when it leaks */
        if (role != ROLE_SCANNER_CHILD)
            assert_true(score < role_row(ROLE_SCANNER_CHILD)->oom_score_adj);
        if (role != ROLE_DATAPLANE && role != ROLE_SUPERVISOR)
            assert_true(score > role_row(ROLE_DATAPLANE)->oom_score_adj);
    }
    fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)role_begin(ROLE_SCANNER_CHILD);
        _exit(oom_score() == role_row(ROLE_SCANNER_CHILD)->oom_score_adj ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void test_the_dataplane_ends_first(void **state)
{
    (void)state;
    assert_int_equal(role_started[0], ROLE_DATAPLANE);
    for (unsigned i = 0; i < ROLE_STARTED_COUNT; i++)
        assert_int_equal(strncmp(role_row(role_started[i])->program, "postern-", 8), 0);
}

/* Each row as the document has it, and the document has no other. */
static void test_document(void **state)
{
    static char text[65536];
    FILE *file = fopen(document, "re");
    const char *table;
    const char *end;
    size_t length;
    unsigned rows = 0;

    (void)state;
    assert_non_null(file);
    length = fread(text, 1, sizeof(text) - 1, file);
    (void)fclose(file);
    text[length] = '\0';
    table = strstr(text, "| process | runs as | cores | sandbox | descriptors | oom_score_adj |\n");
    assert_non_null(table);
    end = strstr(table, "\n\n");
    assert_non_null(end);
    for (int role = 0; role < ROLE_COUNT; role++) {
        const struct role_row *row = role_row((enum role)role);
        char line[256];
        const char *found;

        snprintf(line, sizeof(line), "\n| %s | %s | %s | %s | %u | %d |\n", row->program,
                 role_user_text(row->user), role_cores_text(row->cores),
                 role_sandbox_text(row->sandbox), row->files, row->oom_score_adj);
        found = strstr(table, line);
        if (found == NULL || found > end)
            fail_msg("docs/architecture.md lacks: %s", line + 1);
    }
    for (const char *at = table; at != NULL && at < end; at = strstr(at + 1, "\n| "))
        rows++;
    assert_int_equal(rows, ROLE_COUNT + 1);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_descriptors_are_raised),
        cmocka_unit_test(test_who_is_killed_first),
        cmocka_unit_test(test_the_dataplane_ends_first),
        cmocka_unit_test(test_document),
    };

    if (argc != 2)
        return 2;
    document = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
