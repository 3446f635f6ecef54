/* The words in which a sender hears what became of its message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/policy/reply.h"

static const struct {
    struct mail_result result;
    const char *reply;
} results[] = {
    {{.outcome = MAIL_DELIVERED, .code = 250, .text = "Ok"}, "250 2.0.0 [ID] Ok\r\n"},
    {{.outcome = MAIL_DELIVERED, .code = 250, .text = "2.6.0 Ok"}, "250 2.6.0 [ID] Ok\r\n"},
    {{.outcome = MAIL_DELIVERED, .code = 250, .text = "5.1.1 odd"}, "250 2.0.0 [ID] 5.1.1 odd\r\n"},
    {{.outcome = MAIL_DELIVERED, .code = 250}, "250 2.0.0 [ID] \r\n"},
    {{.outcome = MAIL_DELIVERED, .code = 221, .text = "bye"}, "250 2.0.0 [ID] bye\r\n"},
    {{.outcome = MAIL_DELIVERED, .code = 250, .text = "2.0.0 a\n2.0.0 b\nc\n"},
     "250-2.0.0 [ID] a\r\n250-2.0.0 b\r\n250 2.0.0 c\r\n"},
    {{.outcome = MAIL_RELAY_TEMPORARY, .code = 452, .text = "4.2.2 full"},
     "452 4.2.2 [ID] full\r\n"},
    {{.outcome = MAIL_RELAY_TEMPORARY, .code = 421, .text = "closing"},
     "451 4.0.0 [ID] closing\r\n"},
    {{.outcome = MAIL_RELAY_TEMPORARY, .code = 550, .text = "x"}, "451 4.0.0 [ID] x\r\n"},
    {{.outcome = MAIL_RELAY_PERMANENT, .code = 550, .text = "5.7.1\x07\xff no"},
     "550 5.0.0 [ID] 5.7.1?? no\r\n"},
    {{.outcome = MAIL_RELAY_PERMANENT, .code = 9999, .text = "5.1.10 no"},
     "554 5.1.10 [ID] no\r\n"},
    {{.outcome = MAIL_RELAY_PERMANENT, .code = 550, .text = "5.7.123 no"},
     "550 5.7.123 [ID] no\r\n"},
    {{.outcome = MAIL_INFECTED, .name = "Win.Test.EICAR_HDB-1"},
     "554 5.7.1 [ID] Message rejected: virus found (Win.Test.EICAR_HDB-1)\r\n"},
    {{.outcome = MAIL_UNSCANNABLE, .reason = UNSCANNABLE_ENCRYPTED, .action = POLICY_REJECT},
     "554 5.7.1 [ID] Message rejected, it cannot be scanned: encrypted; send it without a "
     "password\r\n"},
    {{.outcome = MAIL_UNSCANNABLE, .reason = UNSCANNABLE_MALFORMED, .action = POLICY_REJECT},
     "554 5.6.0 [ID] Message rejected, it cannot be scanned: malformed; mail programs would read "
     "it "
     "in too many ways, send it with another one\r\n"},
    {{.outcome = MAIL_UNSCANNABLE, .reason = UNSCANNABLE_TIME, .action = POLICY_REJECT},
     "554 5.7.1 [ID] Message rejected, it cannot be scanned: time limit\r\n"},
    {{.outcome = MAIL_UNSCANNABLE, .name = "no engine", .action = POLICY_DEFER},
     "451 4.7.1 [ID] Cannot scan now: no engine\r\n"},
    {{.outcome = MAIL_NO_RELAY},
     "451 4.4.1 [ID] The recipient's mail server cannot be reached now\r\n"},
    {{.outcome = MAIL_NO_RELAY, .text = "10.0.0.5:25 timed out"},
     "451 4.4.1 [ID] 10.0.0.5:25 timed out\r\n"},
    {{.outcome = MAIL_NO_RELAY, .code = 421, .text = "4.3.2 Service shutting down"},
     "451 4.3.2 [ID] Service shutting down\r\n"},
    {{.outcome = MAIL_NO_RELAY, .code = 451, .text = "4.999.999 far"},
     "451 4.999.999 [ID] far\r\n"},
    {{.outcome = MAIL_NO_RELAY, .code = 451, .text = "5.4.2 of another class"},
     "451 4.4.1 [ID] 5.4.2 of another class\r\n"},
    {{.outcome = MAIL_NO_RELAY, .text = ""},
     "451 4.4.1 [ID] The recipient's mail server cannot be reached now\r\n"},
};

static void test_results(void **state)
{
    struct message message = {.id = "ID"};
    char text[2048];

    (void)state;
    for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
        size_t length = policy_reply(&message, &results[i].result, text, sizeof(text) - 1);

        text[length] = '\0';
        assert_string_equal(text, results[i].reply);
    }
}

/* However much a customer's server says, lines stay short, the end is an end, and the buffer is
 * kept to. */
static void test_long_results(void **state)
{
    struct message message = {.id = "0123456789ABCDEF"};
    struct mail_result result = {.outcome = MAIL_RELAY_PERMANENT, .code = 550};
    char words[4000];

    (void)state;
    for (size_t step = 1; step < 1200; step += 7) {
        memset(words, 'w', sizeof(words));
        words[sizeof(words) - 1] = '\0';
        for (size_t i = step; i < sizeof(words) - 1; i += step)
            words[i] = '\n';
        result.text = words;
        for (size_t size = 512; size < 3000; size += 331) {
            char *text = malloc(size + 1);
            size_t length;
            const char *line = text;

            assert_non_null(text);
            length = policy_reply(&message, &result, text, size);
            assert_true(length <= size);
            text[length] = '\0';
            for (;;) {
                const char *end = strstr(line, "\r\n");

                assert_non_null(end);
                assert_true(end - line < 510);
                assert_memory_equal(line, "550", 3);
                if (end[2] == '\0')
                    break;
                assert_int_equal(line[3], '-');
                line = end + 2;
            }
            assert_int_equal(line[3], ' ');
            free(text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_long_results),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
