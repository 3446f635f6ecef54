#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dialogue.h"

struct harness h;

const struct mail_result delivered = {
    .outcome = MAIL_DELIVERED, .code = 250, .text = "2.0.0 Ok: queued as 9F"};

int set_up(void **state)
{
    (void)state;
    harness_init(&h);
    return 0;
}

int tear_down(void **state)
{
    (void)state;
    assert_true(harness_store_full(&h));
    harness_fini(&h);
    return 0;
}

void say(const char *text)
{
    harness_send(&h, text, strlen(text), SIZE_MAX);
}

const char *converse(const char *bytes, size_t length, size_t piece)
{
    harness_send(&h, bytes, length, piece);
    while (harness_finish(&h, &delivered))
        ;
    return h.pipe.sent;
}

void dialogue(const char *client, const char *server)
{
    harness_open(&h, NULL);
    assert_string_equal(converse(client, strlen(client), SIZE_MAX), server);
    harness_close(&h);
    assert_true(harness_store_full(&h));
}
