/* dialogue.h: what the tests of SMTP sessions share: one rig, the replies in words, and ways to
 * speak with it.
 */
#ifndef TESTS_UNIT_SMTP_DIALOGUE_H
#define TESTS_UNIT_SMTP_DIALOGUE_H

#include "dataplane/smtp/state.h"
#include "rig.h"

#define SECOND_NS INT64_C(1000000000)
#define BANNER    "220 mx.example.com ESMTP Postern\r\n"
#define EHLO_REPLY                                               \
    "250-mx.example.com\r\n250-PIPELINING\r\n250-SIZE 10000\r\n" \
    "250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n"                \
    "250 LIMITS RCPTMAX=3 RCPTDOMAINMAX=1\r\n"
#define OK             "250 2.0.0 Ok\r\n"
#define BYE            "221 2.0.0 Bye\r\n"
#define MAIL_OK        "250 2.1.0 Ok\r\n"
#define RCPT_OK        "250 2.1.5 Ok\r\n"
#define GARBLED        "500 5.5.2 Syntax error: no command, or line too long\r\n"
#define UNKNOWN        "500 5.5.1 Command unrecognized\r\n"
#define FOREIGN        "421 4.7.0 mx.example.com Error: this is SMTP\r\n"
#define TOO_LARGE      "552 5.3.4 Message size exceeds fixed limit\r\n"
#define BAD_SIZE       "501 5.5.4 Syntax: bad or repeated SIZE\r\n"
#define BAD_SENDER     "501 5.1.7 Bad sender address syntax\r\n"
#define BAD_RCPT       "501 5.1.3 Bad recipient address syntax\r\n"
#define DRAINED        "421 4.3.2 mx.example.com Service shutting down, try again later\r\n"
#define SHUTTING_DOWN  "421 4.3.2 Service shutting down, try again later\r\n"
#define GO_AHEAD       "354 End data with <CR><LF>.<CR><LF>\r\n"
#define TO_ALICE       "EHLO c.example\r\nMAIL FROM:<s@c.example>\r\nRCPT TO:<alice@example.com>\r\n"
#define TO_ALICE_REPLY BANNER EHLO_REPLY MAIL_OK RCPT_OK

extern struct rig h;

/* The answer to a message that went well. */
extern const struct mail_result delivered;

int set_up(void **state);
/* Fails when a block or a slot is missing. */
int tear_down(void **state);
#define DIALOGUE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

void say(const char *text);

/* Sends everything, answers each message as delivered, returns what was said. */
const char *converse(const char *bytes, size_t length, size_t piece);

/* A connection of its own in which the server must say exactly that. */
void dialogue(const char *client, const char *server);

#endif
