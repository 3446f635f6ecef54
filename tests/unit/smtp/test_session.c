/* Dialogues, whole and cut at every byte; limits; exhaustion. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/smtp/state.h"
#include "harness.h"

static struct harness h;

static const struct mail_result delivered = {
    .outcome = MAIL_DELIVERED, .code = 250, .text = "2.0.0 Ok: queued as 9F"};

#define BANNER "220 mx.example.com ESMTP Postern\r\n"
#define EHLO_REPLY                                               \
    "250-mx.example.com\r\n250-PIPELINING\r\n250-SIZE 10000\r\n" \
    "250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n"                \
    "250 LIMITS RCPTMAX=3 RCPTDOMAINMAX=1\r\n"
#define OK             "250 2.0.0 Ok\r\n"
#define BYE            "221 2.0.0 Bye\r\n"
#define MAIL_OK        "250 2.1.0 Ok\r\n"
#define RCPT_OK        "250 2.1.5 Ok\r\n"
#define GO_AHEAD       "354 End data with <CR><LF>.<CR><LF>\r\n"
#define TO_ALICE       "EHLO c.example\r\nMAIL FROM:<s@c.example>\r\nRCPT TO:<alice@example.com>\r\n"
#define TO_ALICE_REPLY BANNER EHLO_REPLY MAIL_OK RCPT_OK

static int set_up(void **state)
{
    (void)state;
    harness_init(&h);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_true(harness_store_full(&h));
    harness_fini(&h);
    return 0;
}

/* Sends everything, answers each message as delivered, returns what was said (ids are cut out of
 * replies to keep tables short). */
static const char *converse(const char *bytes, size_t length, size_t piece)
{
    harness_send(&h, bytes, length, piece);
    while (harness_finish(&h, &delivered))
        ;
    return h.stream.sent;
}

static void dialogue(const char *client, const char *server)
{
    harness_open(&h, NULL);
    assert_string_equal(converse(client, strlen(client), SIZE_MAX), server);
    harness_close(&h);
    assert_true(harness_store_full(&h));
}

static void test_smoke(void **state)
{
    static const char text[] = TO_ALICE "DATA\r\nSubject: x\r\n\r\n..dot\r\nbody\r\n.\r\nQUIT\r\n";

    (void)state;
    harness_open(&h, NULL);
    assert_string_equal(converse(text, strlen(text), SIZE_MAX), TO_ALICE_REPLY GO_AHEAD
                        "250 2.0.0 [7A001B03000001] Ok: queued as 9F\r\n" BYE);
    assert_string_equal(h.messages[0].trace,
                        "Received: from c.example ([198.18.0.7])\r\n"
                        "\tby mx.example.com with ESMTP id 7A001B03000001\r\n"
                        "\tfor <alice@example.com>; Sat, 21 Nov 2026 18:30:02 +0000\r\n");
    assert_string_equal((const char *)h.messages[0].bytes, "Subject: x\r\n\r\n.dot\r\nbody\r\n");
    harness_close(&h);
    dialogue("QUIT\r\n", BANNER BYE);
    dialogue("DATA\r\nQUIT\r\n", BANNER "503 5.5.1 Error: need MAIL and RCPT commands\r\n" BYE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_smoke, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
