/* The real scanner program against real libclamav: life, death, and verdicts. */
#include "tests/unit/scanner/appliance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/clock.h"

#define TESTFILES "/usr/share/clamav-testfiles"

static char samples[] = "/tmp/postern-scanner-test.XXXXXX";

static const char *sample(const char *name)
{
    static char path[4][512];
    static unsigned turn;
    char *to = path[turn++ % 4];

    (void)snprintf(to, sizeof(path[0]), "%s/%s", samples, name);
    return to;
}

static int run(const char *const *argv)
{
    pid_t pid = fork();
    int how = -1;

    if (pid == 0) {
        (void)execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    return pid > 0 && waitpid(pid, &how, 0) == pid ? how : -1;
}

static int make_samples(void **state)
{
    const char *script = getenv("MAKE_SAMPLES");
    const char *argv[] = {"/usr/bin/python3", script, samples, TESTFILES, NULL};

    (void)state;
    if (mkdtemp(samples) == NULL || script == NULL)
        return -1;
    return run(argv) == 0 ? 0 : -1;
}

static int remove_samples(void **state)
{
    const char *argv[] = {"/bin/rm", "-r", samples, NULL};

    (void)state;
    return run(argv) == 0 ? 0 : -1;
}

static void expect(struct appliance *appliance, const char *name, enum verdict_kind verdict,
                   enum unscannable_reason reason, const char *text)
{
    struct scan_result result;

    appliance_scan_file(appliance, sample(name), &result);
    if (result.verdict != (uint32_t)verdict || result.reason != (uint32_t)reason ||
        strcmp(result.name, text) != 0)
        fail_msg("%s: verdict %u (%s) \"%s\", expected %u (%s) \"%s\"", name, result.verdict,
                 unscannable_text(result.reason), result.name, verdict, unscannable_text(reason),
                 text);
    assert_true(result.cpu_ns > 0);
}

static void expect_clean(struct appliance *appliance, const char *name)
{
    expect(appliance, name, VERDICT_CLEAN, UNSCANNABLE_NONE, "");
}

static void expect_infected(struct appliance *appliance, const char *name, const char *virus)
{
    expect(appliance, name, VERDICT_INFECTED, UNSCANNABLE_NONE, virus);
}

static void clean_and_infected(void **state)
{
    struct appliance appliance;

    (void)state;
    appliance_start(&appliance, sample("test.ndb"), 1, NULL);
    assert_memory_equal(appliance.slot[0].text, "ClamAV 1.", 9);
    assert_non_null(strchr(appliance.slot[0].text, '/'));
    expect_clean(&appliance, "clean.eml");
    expect_clean(&appliance, "clean-4k.eml");
    expect_clean(&appliance, "clean-zip.eml");
    expect_clean(&appliance, "clean-1m.eml");
    expect_infected(&appliance, "pattern.eml", "Test.Pattern.UNOFFICIAL");
    expect_infected(&appliance, "eicar-text.eml", "Test.Eicar.UNOFFICIAL");
    expect_infected(&appliance, "eicar-attached.eml", "Test.Eicar.UNOFFICIAL");
    expect_infected(&appliance, "eicar-zip.eml", "Test.Eicar.UNOFFICIAL");
    expect_infected(&appliance, "eicar-zip-zip.eml", "Test.Eicar.UNOFFICIAL");
    expect_clean(&appliance, "clean.eml");
    assert_int_equal(appliance_stop(&appliance), 0);
}

static void encrypted_is_unscannable_unless_infected(void **state)
{
    struct appliance appliance;

    (void)state;
    appliance_start(&appliance, sample("test.ndb"), 1, NULL);
    expect(&appliance, "encrypted-zip.eml", VERDICT_UNSCANNABLE, UNSCANNABLE_ENCRYPTED,
           "Heuristics.Encrypted.Zip");
    expect_infected(&appliance, "encrypted-and-eicar.eml", "Test.Eicar.UNOFFICIAL");
    assert_int_equal(appliance_stop(&appliance), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clean_and_infected),
        cmocka_unit_test(encrypted_is_unscannable_unless_infected),
    };

    return cmocka_run_group_tests(tests, make_samples, remove_samples);
}
