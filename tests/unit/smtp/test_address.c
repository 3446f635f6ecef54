/* Paths (RFC 5321 4.1.2), the customer table, the Received field and end-of-data replies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/smtp/address.h"
#include "dataplane/smtp/received.h"
#include "dataplane/smtp/session.h"

#define TEN    "0123456789"
#define SIXTY  TEN TEN TEN TEN TEN TEN
#define LABEL  SIXTY "012"                         /* 63 */
#define DOMAIN LABEL "." LABEL "." LABEL "." LABEL /* 255 */

static const struct {
    const char *text;
    const char *local; /* null: malformed */
    const char *domain;
} paths[] = {
    {"<>", "", ""},
    {"<> SIZE=1", "", ""},
    {"<a@b>", "a", "b"},
    {"<A.b-c+d_e@X-y.example> BODY=7BIT", "A.b-c+d_e", "X-y.example"},
    {"<!#$%&'*+-/=?^_`{|}~@b.c>", "!#$%&'*+-/=?^_`{|}~", "b.c"},
    {"<\"a b\"@b.c>", "\"a b\"", "b.c"},
    {"<\"a\\\"@\\\\\"@b.c>", "\"a\\\"@\\\\\"", "b.c"},
    {"<\"a>\"@b.c>", NULL, NULL},
    {"<\"a<b\"@b.c>", NULL, NULL},
    {"<\"a\\>b\"@b.c>", NULL, NULL},
    {"<@x.y:a@b>", "a", "b"},
    {"<@x.y,@z:a@b>", "a", "b"},
    {"<a@[192.0.2.1]>", "a", "[192.0.2.1]"},
    {"<a@[IPv6:2001:db8::1]>", "a", "[IPv6:2001:db8::1]"},
    {"<PostMaster>", "PostMaster", ""},
    {"<a@_dmarc.b>", "a", "_dmarc.b"},
    {"<a@1.2>", "a", "1.2"},
    {"<" SIXTY "1234@b>", SIXTY "1234", "b"},
    {"", NULL, NULL},
    {"<", NULL, NULL},
    {"a@b", NULL, NULL},
    {"<a@b", NULL, NULL},
    {"<a>", NULL, NULL},
    {"<@>", NULL, NULL},
    {"<a@>", NULL, NULL},
    {"<@b>", NULL, NULL},
    {"<@x.y:postmaster>", NULL, NULL},
    {"<@x.y>", NULL, NULL},
    {"<@x.y,:a@b>", NULL, NULL},
    {"<@x.y;a@b>", NULL, NULL},
    {"<a..b@c>", NULL, NULL},
    {"<.a@c>", NULL, NULL},
    {"<a.@c>", NULL, NULL},
    {"<a b@c>", NULL, NULL},
    {"<a@b c>", NULL, NULL},
    {"<a@b..c>", NULL, NULL},
    {"<a@.b>", NULL, NULL},
    {"<a@b.>", NULL, NULL},
    {"<a@-b>", NULL, NULL},
    {"<a@b->", NULL, NULL},
    {"<a@b@c>", NULL, NULL},
    {"<a@[>", NULL, NULL},
    {"<a@[]>", NULL, NULL},
    {"<a@[1]x>", NULL, NULL},
    {"<\"a@b>", NULL, NULL},
    {"<\"a\"b@c>", NULL, NULL},
    {"<\"a\\", NULL, NULL},
    {"<\"a\tb\"@c>", NULL, NULL},
    {"<\xc3\xa9@b>", NULL, NULL},
    {"<a@\xc3\xa9>", NULL, NULL},
    {"<" SIXTY "12345@b>", NULL, NULL},
    {"<a@" LABEL "1>", NULL, NULL},
    {"<a@" DOMAIN ">", NULL, NULL}, /* the path is over 256 */
};

static void test_paths(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        size_t length = strlen(paths[i].text);
        char *text = malloc(length + 1); /* a read past its end is seen by the sanitizer */
        struct smtp_path path;
        enum status status;
        size_t used;

        assert_non_null(text);
        memcpy(text, paths[i].text, length);
        text = realloc(text, length > 0 ? length : 1);
        assert_non_null(text);
        status = smtp_path_parse(text, length, &path, &used);
        if (paths[i].local == NULL) {
            if (status != STATUS_BAD_FORMAT)
                fail_msg("accepted: %s", paths[i].text);
        } else {
            if (status != STATUS_OK)
                fail_msg("refused: %s", paths[i].text);
            assert_int_equal(path.local_length, strlen(paths[i].local));
            assert_memory_equal(path.local, paths[i].local, path.local_length);
            assert_int_equal(path.domain_length, strlen(paths[i].domain));
            assert_memory_equal(path.domain, paths[i].domain, path.domain_length);
            assert_int_equal(path.literal, paths[i].domain[0] == '[');
            assert_int_equal(text[used - 1], '>');
        }
        free(text);
    }
}

static void test_path_limit(void **state)
{
    struct smtp_path path;
    char text[300];
    size_t used;

    (void)state;
    for (int extra = 40; extra < 60; extra++) {
        int length = snprintf(text, sizeof(text), "<a@%.63s.%.63s.%.63s.%.*s>", LABEL, LABEL, LABEL,
                              extra, LABEL);

        assert_int_equal(smtp_path_parse(text, (size_t)length, &path, &used),
                         length <= 256 ? STATUS_OK : STATUS_BAD_FORMAT);
    }
}

static void test_unquoted(void **state)
{
    struct smtp_path path;
    char local[SMTP_MAILBOX_BYTES];
    size_t used;

    (void)state;
    assert_int_equal(smtp_path_parse("<\"a\\ \\\"b\"@c>", 13, &path, &used), STATUS_OK);
    assert_int_equal(smtp_local_unquoted(&path, local), 4);
    assert_memory_equal(local, "a \"b", 4);
}

static char many_domains[500][CONFIG_NAME_BYTES];
static char many_recipients[500][CONFIG_NAME_BYTES];

static void test_policy(void **state)
{
    struct config_customer customers[2] = {
        {.name = "big",
         .domain_count = 500,
         .domains = many_domains,
         .recipient_count = 500,
         .recipients = many_recipients},
        {.name = "none"},
    };
    struct config config = {.customer_count = 2, .customers = customers};
    const struct smtp_customer *customer;
    struct smtp_customers *table;
    char name[CONFIG_NAME_BYTES];

    (void)state;
    for (unsigned i = 0; i < 500; i++) {
        (void)snprintf(many_domains[i], sizeof(many_domains[i]), "d%u.example", i);
        (void)snprintf(many_recipients[i], sizeof(many_recipients[i]),
                       i % 2 == 0 ? "user%u" : "user%u@d7.example", i);
    }
    assert_int_equal(smtp_customers_create(&config, &table), STATUS_OK);
    assert_ptr_equal(smtp_customers_config(table), &config);
    for (unsigned i = 0; i < 500; i++) {
        size_t length = (size_t)snprintf(name, sizeof(name), "D%u.EXAMPLE", i);

        customer = smtp_customers_find(table, name, length);
        assert_non_null(customer);
        assert_ptr_equal(customer->config, &customers[0]);
        assert_null(smtp_customers_find(table, name, length - 1));
        length = (size_t)snprintf(name, sizeof(name), "USER%u", i);
        assert_true(smtp_customers_recipient(table, customer, name, length, "D7.example", 10));
        assert_int_equal(smtp_customers_recipient(table, customer, name, length, "d8.example", 10),
                         i % 2 == 0);
        assert_false(smtp_customers_recipient(table, customer, name, length - 1, "x", 1) &&
                     i % 2 == 1 && i < 10);
    }
    customer = smtp_customers_find(table, "d1.example", 10);
    assert_true(smtp_customers_recipient(table, customer, "PostMaster", 10, "d1.example", 10));
    assert_false(smtp_customers_recipient(table, customer, "postmaste", 9, "d1.example", 10));
    assert_false(smtp_customers_recipient(table, customer, "user1000", 8, "d7.example", 10));
    assert_null(smtp_customers_find(table, "", 0));
    assert_null(smtp_customers_find(table, "example", 7));
    smtp_customers_free(table);
    smtp_customers_free(NULL);
}

static void test_received(void **state)
{
    static const struct {
        int64_t seconds;
        const char *date;
    } dates[] = {
        {0, "Thu, 1 Jan 1970 00:00:00 +0000"},
        {951782399, "Mon, 28 Feb 2000 23:59:59 +0000"},
        {951782400, "Tue, 29 Feb 2000 00:00:00 +0000"},
        {1795285802, "Sat, 21 Nov 2026 18:30:02 +0000"},
        {1798761599, "Thu, 31 Dec 2026 23:59:59 +0000"},
        {4107542400, "Mon, 1 Mar 2100 00:00:00 +0000"},
    };
    char text[SMTP_RECEIVED_BYTES];
    char expected[SMTP_RECEIVED_BYTES];
    struct smtp_received received = {
        .helo = "[IPv6:2001:db8::9]", .client = "2001:db8::1", .host = "mx", .id = "1F"};

    (void)state;
    for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
        size_t length;

        received.wall_seconds = dates[i].seconds;
        length = smtp_received_write(&received, text);
        (void)snprintf(expected, sizeof(expected),
                       "Received: from [IPv6:2001:db8::9] ([IPv6:2001:db8::1])\r\n"
                       "\tby mx with SMTP id 1F; %s\r\n",
                       dates[i].date);
        assert_int_equal(length, strlen(expected));
        assert_memory_equal(text, expected, length);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),    cmocka_unit_test(test_path_limit),
        cmocka_unit_test(test_unquoted), cmocka_unit_test(test_policy),
        cmocka_unit_test(test_received),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
