/* CHECK() ends the process and says where; the counters have one name each. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "platform/check.h"
#include "platform/link/counters.h"

/* Runs `body` in a child; what it wrote to standard error is in `text`. */
static int in_a_child(void (*body)(void), char *text, size_t size)
{
    int pipes[2];
    int status = 0;
    size_t used = 0;
    ssize_t got;
    pid_t child;

    assert_int_equal(pipe(pipes), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)signal(SIGABRT, SIG_DFL); /* cmocka and the sanitizers have theirs */
        (void)dup2(pipes[1], STDERR_FILENO);
        body();
        _exit(0);
    }
    close(pipes[1]);
    while (used + 1 < size && (got = read(pipes[0], text + used, size - 1 - used)) > 0)
        used += (size_t)got;
    text[used] = '\0';
    close(pipes[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void one_is_two(void)
{
    volatile int one = 1;

    CHECK(one == 2);
}

static void far_down(void)
{
    check_failed("file.c", 1234567, "condition");
}

static void all_is_well(void)
{
    volatile int one = 1;

    CHECK(one == 1);
}

static void test_check(void **state)
{
    char text[512];
    int status = in_a_child(one_is_two, text, sizeof(text));

    (void)state;
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(text, "postern: check failed: "));
    assert_non_null(strstr(text, "test_check.c:"));
    assert_non_null(strstr(text, ": one == 2\n"));

    status = in_a_child(far_down, text, sizeof(text));
    assert_true(WIFSIGNALED(status));
    assert_string_equal(text, "postern: check failed: file.c:1234567: condition\n");

    status = in_a_child(all_is_well, text, sizeof(text));
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_string_equal(text, "");
}

static void test_check_slow_is_off_or_on(void **state)
{
    int evaluated = 0;

    (void)state;
    CHECK_SLOW(++evaluated == 1);
#ifdef POSTERN_SLOW_CHECKS
    assert_int_equal(evaluated, 1);
#else
    assert_int_equal(evaluated, 0);
#endif
}

static void test_counter_names(void **state)
{
    (void)state;
    for (int a = 0; a < COUNTER_COUNT; a++) {
        const char *name = counter_name((enum counter)a);

        assert_non_null(name);
        assert_true(strlen(name) > 0);
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(name));
        for (int b = 0; b < a; b++)
            assert_string_not_equal(name, counter_name((enum counter)b));
    }
    assert_string_equal(counter_name(COUNTER_RX_PACKETS), "rx_packets");
    assert_null(counter_name(COUNTER_COUNT));
    assert_null(counter_name((enum counter) - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_check_slow_is_off_or_on),
        cmocka_unit_test(test_counter_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
