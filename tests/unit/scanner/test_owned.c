/* A child that a message has taken over (owned_engine.c), in the real scanner: what it can do to
 * other messages, and what it has of them. */
#include "tests/unit/scanner/appliance.h"
#include "tests/unit/scanner/samples.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADER "Received: from a by b; Mon, 30 Nov 2026 00:00:00 +0000\r\nSubject: x\r\n\r\n"
#define SECRET "nobody but the one it is for may see this line, least of all a stranger\r\n"

static void scan_text(struct appliance *appliance, const char *text, struct scan_result *result)
{
    struct message *message = appliance_put(appliance, text, strlen(text));

    appliance_hand_over(appliance, 0, 0, message);
    assert_true(appliance_result(appliance, 0, 0, result));
    message_give(&appliance->store, message);
}

static void expect_infected(struct appliance *appliance)
{
    struct scan_result result;

    appliance_scan_file(appliance, sample("pattern.eml"), &result);
    assert_int_equal(result.verdict, VERDICT_INFECTED);
    assert_string_equal(result.name, "Test.Pattern.UNOFFICIAL");
}

/* Whatever it says of its own message, it says nothing of the next. */
static void one_message_and_no_other(void **state)
{
    struct appliance appliance;
    struct scan_result result;
    pid_t child;

    (void)state;
    appliance_start(&appliance, sample("test.ndb"), 1, NULL);
    child = appliance_grandchild(&appliance, 0);
    for (unsigned i = 0; i < 3; i++) {
        scan_text(&appliance, HEADER "take over", &result);
        assert_int_equal(result.verdict, VERDICT_CLEAN);
        child = appliance_next_grandchild(&appliance, 0, child);
        expect_infected(&appliance);
        child = appliance_next_grandchild(&appliance, 0, child);
    }
    assert_int_equal(appliance_stop(&appliance), 0);
}

static uint64_t counted(const struct appliance *appliance, unsigned counter)
{
    return __atomic_load_n(&channel_row(&appliance->slot[0].memory)->value[counter],
                           __ATOMIC_RELAXED);
}

/* Its words are held to the words there are. */
static void words_are_checked(void **state)
{
    struct appliance appliance;
    struct scan_result result;

    (void)state;
    appliance_start(&appliance, sample("test.ndb"), 1, NULL);
    scan_text(&appliance, HEADER "shout", &result);
    assert_int_equal(result.verdict, VERDICT_INFECTED);
    assert_string_equal(result.name, "unknown");
    assert_int_equal(counted(&appliance, SCANNER_COUNTER_NAMES_UNKNOWN), 1);
    scan_text(&appliance, HEADER "call it", &result);
    assert_int_equal(result.verdict, VERDICT_INFECTED);
    assert_string_equal(result.name, "unknown");
    assert_int_equal(counted(&appliance, SCANNER_COUNTER_NAMES_UNKNOWN), 2);
    scan_text(&appliance, HEADER "invent", &result);
    assert_int_equal(result.verdict, VERDICT_UNSCANNABLE);
    assert_int_equal(result.reason, UNSCANNABLE_ENGINE_ERROR);
    expect_infected(&appliance);
    assert_int_equal(appliance_stop(&appliance), 0);
}

/* An engine that finds nothing is told from one that has nothing to find. */
static void canary(void **state)
{
    struct appliance appliance;
    struct scan_result result;

    (void)state;
    appliance_start(&appliance, sample("canary.hdb"), 1, NULL);
    appliance_scan_file(&appliance, sample("eicar-attached.eml"), &result);
    assert_string_equal(result.name, "Eicar-Test-Signature.UNOFFICIAL");
    assert_int_equal(appliance_stop(&appliance), 0);
    assert_int_equal(setenv("OWNED_DEAF", "1", 1), 0);
    appliance_start_lost(&appliance, sample("canary.hdb"));
    assert_non_null(strstr(appliance.slot[0].text, "EICAR"));
    assert_int_equal(counted(&appliance, SCANNER_COUNTER_CANARIES_LOST), 1);
    assert_int_equal(appliance_stop(&appliance), 0);
    appliance_start(&appliance, sample("test.ndb"), 1, NULL); /* knows no EICAR by that name */
    assert_int_equal(appliance_stop(&appliance), 0);
    assert_int_equal(unsetenv("OWNED_DEAF"), 0);
}

/* It ends its keeper, and the dataplane hears how. */
static void death_is_told(void **state)
{
    struct appliance appliance;
    struct message *message;
    struct scan_result result;

    (void)state;
    appliance_start(&appliance, sample("test.ndb"), 1, NULL);
    message = appliance_put(&appliance, HEADER "die", strlen(HEADER "die"));
    appliance_hand_over(&appliance, 0, 0, message);
    assert_false(appliance_result(&appliance, 0, 0, &result));
    assert_non_null(strstr(appliance.slot[0].text, "killed by signal"));
    message_give(&appliance.store, message);
    appliance_revive(&appliance, 0);
    expect_infected(&appliance);
    assert_int_equal(appliance_stop(&appliance), 0);
}

/* How often SECRET stands in what `pid` has mapped and may read: its engine at least. */
static unsigned secrets_in(pid_t pid)
{
    static char piece[1 << 20];
    char path[64];
    char line[512];
    unsigned found = 0;
    size_t looked_at = 0;
    FILE *maps;
    int memory;

    (void)snprintf(path, sizeof(path), "/proc/%d/maps", pid);
    maps = fopen(path, "re");
    (void)snprintf(path, sizeof(path), "/proc/%d/mem", pid);
    memory = open(path, O_RDONLY | O_CLOEXEC);
    assert_non_null(maps);
    assert_true(memory >= 0);
    while (fgets(line, sizeof(line), maps) != NULL) {
        unsigned long from;
        unsigned long to;
        char access[8];

        if (sscanf(line, "%lx-%lx %7s", &from, &to, access) != 3 || access[0] != 'r')
            continue;
        for (; from < to; from += sizeof(piece) / 2) { /* overlapping: none lies across an edge */
            ssize_t length = pread(memory, piece, sizeof(piece), (off_t)from);
            const char *at = piece;

            looked_at += length > 0 ? (size_t)length : 0;
            while (length > 0 && (at = memmem(at, (size_t)(piece + length - at), SECRET,
                                              strlen(SECRET))) != NULL) {
                found++;
                at++;
            }
        }
    }
    (void)fclose(maps);
    close(memory);
    assert_true(looked_at > 1000000);
    return found;
}

/* Another customer's mail lies in the messages' memory, and one was scanned before: of neither a
 * byte is in the child. That the search would find it is shown by its keeper, which has the first.
 */
static void no_byte_of_another_message(void **state)
{
    const char *sanitized = getenv("SANITIZED");
    struct appliance appliance;
    struct message *other;
    struct scan_result result;
    pid_t child;

    (void)state;
    if (geteuid() != 0 || (sanitized != NULL && sanitized[0] != '\0')) {
        print_error(
            "SKIPPED: only root may look into a process, and not at a sanitizer's shadow\n");
        skip();
    }
    appliance_start(&appliance, sample("test.ndb"), 1, NULL);
    other = appliance_put(&appliance, HEADER SECRET SECRET, strlen(HEADER SECRET SECRET));
    child = appliance_grandchild(&appliance, 0);
    scan_text(&appliance, HEADER SECRET, &result);
    child = appliance_next_grandchild(&appliance, 0, child);
    assert_true(secrets_in(appliance_child(&appliance, 0)) > 0);
    assert_int_equal(secrets_in(child), 0);
    message_give(&appliance.store, other);
    assert_int_equal(appliance_stop(&appliance), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_message_and_no_other),
        cmocka_unit_test(words_are_checked),
        cmocka_unit_test(canary),
        cmocka_unit_test(death_is_told),
        cmocka_unit_test(no_byte_of_another_message),
    };

    return cmocka_run_group_tests(tests, samples_make, samples_remove);
}
