/* Envelopes as they come: what no RFC has, senders say all the same and Postfix takes by default.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dialogue.h"

#define TEN    "0123456789"
#define SIXTY  TEN TEN TEN TEN TEN TEN
#define NINETY SIXTY TEN TEN TEN
#define LABEL  SIXTY "012" /* 63 */

/* The mailbox that is passed on, and how much of the text is behind the path. */
static const struct {
    const char *text;
    const char *mailbox; /* null: malformed still */
    size_t behind;
} paths[] = {
    {"<a@b>", "a@b", 0},
    {"a@b", "a@b", 0},
    {"a@b SIZE=1", "a@b", 7},
    {"< a@b >", "a@b", 0},
    {"<  > X", "", 2},
    {"<a..b@c>", "\"a..b\"@c", 0},
    {"<.a@c>", "\".a\"@c", 0},
    {"<a.@c> X", "\"a.\"@c", 2},
    {"<...@c>", "\"...\"@c", 0},
    {"a.@c", "\"a.\"@c", 0},
    {"<a.b@c>", "a.b@c", 0},
    {"<\"a b\"@c>", "\"a b\"@c", 0},
    {"\"a b\"@c", "\"a b\"@c", 0},
    {"<a@b.>", "a@b", 0},
    {"<a@b.c.>", "a@b.c", 0},
    {"a@b. X", "a@b", 2},
    {"<a@[192.0.2.1]>", "a@[192.0.2.1]", 0},
    {"<@x,@y:a..b@c.>", "\"a..b\"@c", 0},
    {"<root>", "root", 0},
    {"<a..>", "\"a..\"", 0},
    {"root", "root", 0},
    {"<SRS0=HHHH=TT=" SIXTY "=" SIXTY "=a@b>", "SRS0=HHHH=TT=" SIXTY "=" SIXTY "=a@b", 0},
    {"<.." NINETY NINETY SIXTY "23456@b>", "\".." NINETY NINETY SIXTY "23456\"@b", 0},
    {"<.." NINETY NINETY SIXTY "234567890@b>", NULL, 0},
    {"<" NINETY NINETY NINETY "@b>", NULL, 0},
    {"", NULL, 0},
    {"<", NULL, 0},
    {"<@>", NULL, 0},
    {"@b", NULL, 0},
    {"<@b>", NULL, 0},
    {"<a@>", NULL, 0},
    {"a@ b", NULL, 0},
    {"<a@.>", NULL, 0},
    {"<a@b..>", NULL, 0},
    {"<a@b..c>", NULL, 0},
    {"<a@.b>", NULL, 0},
    {"<a b@c>", NULL, 0},
    {"<a@b c>", NULL, 0},
    {"<a@b@c>", NULL, 0},
    {"<<a@b>>", NULL, 0},
    {"<a<b@c>", NULL, 0},
    {"<a>b@c>", "a", 4}, /* what follows is no parameter */
    {"a>@c", NULL, 0},
    {"a@b>", NULL, 0},
    {"a@b,c@d", NULL, 0},
    {"<a@b", NULL, 0},
    {"<\"a>\"@b>", NULL, 0},
    {"<\"a@b>", NULL, 0},
    {"<\"a\"b@c>", NULL, 0},
    {"<a\r@b>", NULL, 0},
    {"<a\n@b>", NULL, 0},
    {"<a@b\r>", NULL, 0},
    {"<a\t@b>", NULL, 0},
    {"<\xc3\xa9@b>", NULL, 0},
    {"<a@\xc3\xa9>", NULL, 0},
    {"<a@" LABEL "1>", NULL, 0},
    {"<a@" LABEL "1.>", NULL, 0},
};

/* What comes of it is a path that a strict reader takes, and the same mailbox to him. */
static void becomes_strict(struct smtp_path *path, char to[SMTP_MAILBOX_BYTES])
{
    char again[SMTP_PATH_BYTES];
    struct smtp_path strict;
    size_t used;

    if (path->mailbox_length > 0 && path->domain_length == 0)
        assert_int_equal(smtp_path_complete(path, "mx.example.com", to), STATUS_OK);
    if (path->local_length > SMTP_LOCAL_BYTES)
        return; /* RFC 5321 4.5.3.1.1 alone says no */
    again[0] = '<';
    memcpy(again + 1, path->mailbox, path->mailbox_length);
    again[path->mailbox_length + 1] = '>';
    assert_int_equal(smtp_path_parse(again, path->mailbox_length + 2, &strict, &used), STATUS_OK);
    assert_int_equal(strict.local_length, path->local_length);
    assert_memory_equal(strict.local, path->local, path->local_length);
    assert_int_equal(strict.domain_length, path->domain_length);
    assert_memory_equal(strict.domain, path->domain, path->domain_length);
    assert_int_equal(strict.literal, path->literal);
}

static void test_paths(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        size_t length = strlen(paths[i].text);
        char *text = malloc(length > 0 ? length : 1); /* it ends where its memory does */
        char to[SMTP_MAILBOX_BYTES];
        struct smtp_path path;
        enum status status;
        size_t used;

        assert_non_null(text);
        memcpy(text, paths[i].text, length);
        status = smtp_path_parse_loosely(text, length, &path, to, &used);
        if ((status == STATUS_OK) != (paths[i].mailbox != NULL))
            fail_msg("%s: %s", paths[i].mailbox == NULL ? "accepted" : "refused", paths[i].text);
        if (paths[i].mailbox != NULL) {
            assert_int_equal(path.mailbox_length, strlen(paths[i].mailbox));
            assert_memory_equal(path.mailbox, paths[i].mailbox, path.mailbox_length);
            assert_int_equal(used, length - paths[i].behind);
            becomes_strict(&path, to);
        }
        free(text);
    }
}

static void test_complete(void **state)
{
    static const char bare[] = NINETY NINETY SIXTY;
    char to[SMTP_MAILBOX_BYTES];
    struct smtp_path path;
    size_t used;

    (void)state;
    assert_int_equal(smtp_path_parse("<postmaster>", 12, &path, &used), STATUS_OK);
    assert_int_equal(smtp_path_complete(&path, "mx.example.com", to), STATUS_OK);
    assert_int_equal(path.mailbox_length, 25);
    assert_memory_equal(path.mailbox, "postmaster@mx.example.com", 25);
    assert_int_equal(path.domain_length, 14);
    assert_int_equal(smtp_path_parse_loosely(bare, 240, &path, to, &used), STATUS_OK);
    assert_int_equal(smtp_path_complete(&path, "abc.example.co", to), STATUS_BAD_FORMAT);
    assert_int_equal(smtp_path_complete(&path, "abc.example.c", to), STATUS_OK);
    assert_int_equal(path.mailbox_length, SMTP_MAILBOX_BYTES);
}

#define BAD_PARAMETER "555 5.5.4 Unsupported parameter\r\n"
#define BAD_EHLO      "501 Syntax: EHLO hostname\r\n"
#define BAD_HELO      "501 Syntax: HELO hostname\r\n"
#define SRS           "SRS0=abcd=EF=a-very-long-sub-domain.of.a.long.name.example=with.a.long.name@b.c"

/* What is passed on, and what a strict server says first. */
static const struct {
    const char *line[3]; /* EHLO, MAIL, RCPT; null: a plain one */
    const char *kept[3]; /* name, sender, recipient; null: those of the plain one */
    const char *strict;
} oddities[] = {
    {{"EHLO Z170-D3H Gentoo"}, {"Z170-D3H?Gentoo"}, BAD_EHLO},
    {{"HELO user@host"}, {"user?host"}, BAD_HELO},
    {{"HELO [a](b)<c>;\"d\",e\\"}, {"?a??b??c???d??e?"}, BAD_HELO},
    {{"HELO \xc3\xa9t\xc3\xa9"}, {"??t??"}, BAD_HELO},
    {{NULL, "MAIL FROM:a@b.c"}, {NULL, "a@b.c"}, BAD_SENDER},
    {{NULL, "MAIL FROM: a@b.c SIZE=10"}, {NULL, "a@b.c"}, BAD_SENDER},
    {{NULL, "MAIL FROM:< a@b.c >"}, {NULL, "a@b.c"}, BAD_SENDER},
    {{NULL, "MAIL FROM:<a..b.@d.example>"}, {NULL, "\"a..b.\"@d.example"}, BAD_SENDER},
    {{NULL, "MAIL FROM:<a@b.c.>"}, {NULL, "a@b.c"}, BAD_SENDER},
    {{NULL, "MAIL FROM:<root>"}, {NULL, "root@mx.example.com"}, BAD_SENDER},
    {{NULL, "MAIL FROM:<postmaster>"}, {NULL, "postmaster@mx.example.com"}, BAD_SENDER},
    {{NULL, "MAIL FROM:<" SRS ">"}, {NULL, SRS}, BAD_SENDER},
    {{NULL, "MAIL FROM:<a@b.c> AUTH=<>"}, {NULL, "a@b.c"}, BAD_PARAMETER},
    {{NULL, "MAIL FROM:<a@b.c> RET=HDRS ENVID=QQ3 SIZE=10"}, {NULL, "a@b.c"}, BAD_PARAMETER},
    {{NULL, NULL, "RCPT TO:alice@example.com"}, {NULL, NULL, "alice@example.com"}, BAD_RCPT},
    {{NULL, NULL, "RCPT TO:<alice@example.com.>"}, {NULL, NULL, "alice@example.com"}, BAD_RCPT},
    {{NULL, NULL, "RCPT TO:<a..b@example.com>"}, {NULL, NULL, "\"a..b\"@example.com"}, BAD_RCPT},
    {{NULL, NULL, "RCPT TO:<a@example.com> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a@example.com"},
     {NULL, NULL, "a@example.com"},
     BAD_PARAMETER},
};

static void say_oddity(size_t i)
{
    static const char *const plain[3] = {"EHLO c.example", "MAIL FROM:<s@c.example>",
                                         "RCPT TO:<alice@example.com>"};

    for (unsigned j = 0; j < 3; j++) {
        say(oddities[i].line[j] != NULL ? oddities[i].line[j] : plain[j]);
        say("\r\n");
    }
}

static void test_oddities_are_taken(void **state)
{
    static const char *const plain[3] = {"c.example", "s@c.example", "alice@example.com"};

    (void)state;
    for (size_t i = 0; i < sizeof(oddities) / sizeof(oddities[0]); i++) {
        const struct message *message;
        const char *kept[3];

        for (unsigned j = 0; j < 3; j++)
            kept[j] = oddities[i].kept[j] != NULL ? oddities[i].kept[j] : plain[j];
        rig_open(&h, NULL);
        say_oddity(i);
        say("DATA\r\n.\r\n");
        if (h.submitted != 1)
            fail_msg("%zu: %s", i, h.pipe.sent);
        message = h.messages[0].message;
        assert_string_equal(message->helo, kept[0]);
        assert_string_equal(message->sender, kept[1]);
        assert_string_equal(message->recipient, kept[2]);
        assert_true(rig_finish(&h, &delivered));
        rig_close(&h);
        assert_true(rig_store_full(&h));
    }
}

static void test_oddities_are_refused_when_strict(void **state)
{
    (void)state;
    h.config.smtp.strict_addresses = true;
    for (size_t i = 0; i < sizeof(oddities) / sizeof(oddities[0]); i++) {
        rig_open(&h, NULL);
        say_oddity(i);
        if (strstr(h.pipe.sent, oddities[i].strict) == NULL)
            fail_msg("%zu: %s", i, h.pipe.sent);
        rig_close(&h);
    }
}

/* A name of any length is taken and kept as far as there is room. */
static void test_long_name(void **state)
{
    char line[600];

    (void)state;
    (void)snprintf(line, sizeof(line), "EHLO %0400d\r\n", 0);
    dialogue(line, BANNER EHLO_REPLY);
    h.config.smtp.strict_addresses = true;
    dialogue(line, BANNER BAD_EHLO);
}

/* What could be taken for something else is refused for good, and parameters that mean something.
 */
static void test_refused_all_the_same(void **state)
{
    (void)state;
    dialogue("EHLO\r\nEHLO c\r\nMAIL FROM:a@b c\r\nMAIL FROM:<<a@b.c>>\r\nMAIL FROM:\r\nQUIT\r\n",
             BANNER BAD_EHLO EHLO_REPLY BAD_PARAMETER BAD_SENDER BAD_SENDER BYE);
    dialogue("EHLO c\r\nMAIL FROM:<a@b.c> NOTIFY=NEVER\r\nMAIL FROM:<a@b.c> AUTH=\r\n"
             "MAIL FROM:<a@b.c> RET\r\nMAIL FROM:<a@b.c> AUTHS=<>\r\nQUIT\r\n",
             BANNER EHLO_REPLY BAD_PARAMETER BAD_PARAMETER BAD_PARAMETER BAD_PARAMETER BYE);
    dialogue("EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<>\r\nRCPT TO:alice\r\nRCPT TO:<root>\r\n"
             "RCPT TO:<a@example.com> RET=HDRS\r\nQUIT\r\n",
             BANNER EHLO_REPLY MAIL_OK BAD_RCPT BAD_RCPT BAD_RCPT BAD_PARAMETER BYE);
}

/* The list of recipients is asked for the mailbox, however it was written. */
static void test_looked_up(void **state)
{
    (void)state;
    dialogue("EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:bob@example.org.\r\nRCPT TO:<bo..b@example.org>\r\n"
             "RCPT TO:<..%other@example.com>\r\nRCPT TO:<\"bob\"@example.org.>\r\nQUIT\r\n",
             BANNER EHLO_REPLY MAIL_OK RCPT_OK
             "550 5.1.1 <\"bo..b\"@example.org>: Recipient address rejected: User unknown\r\n"
             "554 5.7.1 <\"..%other\"@example.com>: Relay access denied\r\n" RCPT_OK BYE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_complete),
        DIALOGUE_TEST(test_oddities_are_taken),
        DIALOGUE_TEST(test_oddities_are_refused_when_strict),
        DIALOGUE_TEST(test_long_name),
        DIALOGUE_TEST(test_refused_all_the_same),
        DIALOGUE_TEST(test_looked_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
