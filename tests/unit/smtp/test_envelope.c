/* What is kept of the envelope. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dialogue.h"

static void test_envelope(void **state)
{
    static const char text[] = "EHLO c.example\r\nMAIL FROM:<s@c.example> BODY=8BITMIME\r\n"
                               "RCPT TO:<@r.example:Alice@Example.com>\r\nRCPT TO:<postmaster>\r\n"
                               "DATA\r\n.\r\n";
    static const struct {
        enum envelope_field field;
        unsigned nth;
        const char *value;
    } fields[] = {
        {ENVELOPE_CLIENT, 0, "198.18.0.7"},  {ENVELOPE_HELO, 0, "c.example"},
        {ENVELOPE_SENDER, 0, "s@c.example"}, {ENVELOPE_RECIPIENT, 0, "Alice@Example.com"},
        {ENVELOPE_CUSTOMER, 0, "first"},     {ENVELOPE_RECIPIENT, 1, "postmaster@example.com"},
        {ENVELOPE_PROTOCOL, 0, "ESMTP"},
    };
    const struct message *message;
    const char *value;
    size_t length;

    (void)state;
    rig_open(&h, NULL);
    say(text);
    assert_int_equal(h.submitted, 1);
    message = h.messages[0].message;
    assert_int_equal(message->shared->flags, MESSAGE_FLAG_8BITMIME);
    assert_string_equal(message->recipient, "Alice@Example.com");
    assert_string_equal(message->sender, "s@c.example");
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        value = rig_field(&h, message, fields[i].field, fields[i].nth, &length);
        assert_non_null(value);
        assert_int_equal(length, strlen(fields[i].value));
        assert_memory_equal(value, fields[i].value, length);
    }
    value = rig_field(&h, message, ENVELOPE_ID, 0, &length);
    assert_memory_equal(value, h.messages[0].id, length);
    assert_null(rig_field(&h, message, ENVELOPE_RECIPIENT, 2, &length));
    assert_null(strstr(h.messages[0].trace, "for <"));
    assert_true(rig_finish(&h, &delivered));
    rig_close(&h);
}

/* A configuration that comes between two recipients of one customer changes nothing for them. */
static void test_reload_between_recipients(void **state)
{
    struct config newer;
    struct smtp_customers *table;

    (void)state;
    rig_open(&h, NULL);
    say("EHLO c.example\r\nMAIL FROM:<s@c.example>\r\nRCPT TO:<a@example.com>\r\n");
    newer = h.config;
    newer.number++;
    assert_int_equal(smtp_customers_create(&newer, &table), STATUS_OK);
    h.server.customers = table;
    say("RCPT TO:<b@example.net>\r\nRCPT TO:<bob@example.org>\r\n");
    assert_non_null(strstr(h.pipe.sent, "452 4.5.3 <bob@example.org>: Recipients of different"));
    assert_null(strstr(h.pipe.sent, "<b@example.net>"));
    say("DATA\r\n.\r\n");
    assert_int_equal(h.submitted, 1);
    assert_int_equal(h.messages[0].message->shared->recipient_count, 2);
    h.server.customers = h.table;
    assert_true(rig_finish(&h, &delivered));
    rig_close(&h);
    smtp_customers_free(table);
}

/* The longest name and the longest address: both are taken, and only where they do not fit beside
 * each other is the name cut; the next message has it no longer, either. */
static void test_longest_names(void **state)
{
    char helo[256];
    char sender[255];
    char text[1024];

    (void)state;
    memset(helo, 'h', 255);
    helo[255] = '\0';
    memset(sender, 's', 254);
    sender[254] = '\0';
    sender[20] = '@';
    for (size_t i = 84; i < 254; i += 64)
        sender[i] = '.';
    for (size_t length = 30; length <= 254; length++) {
        size_t fits = 255 + 1 + length + 1 <= 320 ? 255 : 63;

        (void)snprintf(text, sizeof(text),
                       "EHLO %s\r\nMAIL FROM:<%.*s>\r\nRCPT TO:<alice@example.com>\r\n"
                       "DATA\r\n.\r\n",
                       helo, (int)length, sender);
        if (sender[length - 1] == '.')
            continue; /* no address */
        rig_open(&h, NULL);
        say(text);
        assert_int_equal(h.submitted, 1);
        assert_int_equal(strlen(h.messages[0].message->helo), fits);
        assert_int_equal(strlen(h.messages[0].message->sender), length);
        assert_memory_equal(h.messages[0].message->sender, sender, length);
        assert_true(rig_finish(&h, &delivered));
        rig_close(&h);
    }
    /* A full name with no address that long beside it stays whole. */
    (void)snprintf(text, sizeof(text),
                   "EHLO %s\r\nMAIL FROM:<>\r\n"
                   "RCPT TO:<alice@example.com>\r\nDATA\r\n.\r\n",
                   helo);
    rig_open(&h, NULL);
    say(text);
    assert_int_equal(h.submitted, 1);
    assert_string_equal(h.messages[0].message->helo, helo);
    assert_string_equal(h.messages[0].message->sender, "");
    assert_true(rig_finish(&h, &delivered));
    rig_close(&h);
}

/* As many recipients as LIMITS promises, each as long as one may be, beside the longest of all
 * else. */
static void test_most_recipients_of_the_longest(void **state)
{
    char domain[190];
    char line[512];
    const struct message *message;

    (void)state;
    h.config.limits.recipients = CONFIG_RECIPIENTS_MAX;
    memset(domain, 'd', sizeof(domain));
    for (size_t i = 60; i < 189; i += 60)
        domain[i] = '.';
    domain[189] = '\0';
    smtp_customers_free(h.table);
    (void)snprintf(h.customers[0].domains[1], sizeof(h.customers[0].domains[1]), "%s", domain);
    assert_int_equal(smtp_customers_create(&h.config, &h.table), STATUS_OK);
    h.server.customers = h.table;
    rig_open(&h, NULL);
    (void)snprintf(line, sizeof(line), "EHLO %0255d\r\n", 0);
    say(line);
    (void)snprintf(line, sizeof(line), "MAIL FROM:<%064d@%s>\r\n", 0, domain);
    say(line);
    for (unsigned i = 0; i < CONFIG_RECIPIENTS_MAX; i++) {
        (void)snprintf(line, sizeof(line), "RCPT TO:<%064u@%s>\r\n", i, domain);
        assert_int_equal(strlen(line), strlen("RCPT TO:\r\n") + SMTP_PATH_BYTES);
        h.pipe.sent_length = h.pipe.acknowledged = 0;
        say(line);
        assert_string_equal(h.pipe.sent, RCPT_OK);
    }
    say("DATA\r\n.\r\n");
    assert_int_equal(h.submitted, 1);
    message = h.messages[0].message;
    assert_int_equal(message->shared->recipient_count, CONFIG_RECIPIENTS_MAX);
    assert_true(rig_finish(&h, &delivered));
    rig_close(&h);
}

/* Two starts give different ids, and the longest fits. */
static void test_ids_of_another_start(void **state)
{
    char first[20];

    (void)state;
    for (unsigned start = 0; start < 2; start++) {
        smtp_server_identify(&h.server, start == 0 ? 0xfffffffe : 0xffffffff);
        h.server.sequence = 0xffffffe;
        rig_open(&h, NULL);
        say(TO_ALICE "DATA\r\n.\r\n");
        assert_int_equal(strlen(h.messages[0].id), 17);
        if (start == 0)
            memcpy(first, h.messages[0].id, sizeof(first));
        else
            assert_string_not_equal(h.messages[0].id, first);
        assert_true(rig_finish(&h, &delivered));
        rig_close(&h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DIALOGUE_TEST(test_envelope),
        DIALOGUE_TEST(test_reload_between_recipients),
        DIALOGUE_TEST(test_longest_names),
        DIALOGUE_TEST(test_most_recipients_of_the_longest),
        DIALOGUE_TEST(test_ids_of_another_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
