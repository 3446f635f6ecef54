#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dialogue.h"

struct rig h;

const struct mail_result delivered = {
    .outcome = MAIL_DELIVERED, .code = 250, .text = "2.0.0 Ok: queued as 9F"};

int set_up(void **state)
{
    (void)state;
    rig_init(&h);
    return 0;
}

int tear_down(void **state)
{
    (void)state;
    assert_true(rig_store_full(&h));
    rig_fini(&h);
    return 0;
}

void say(const char *text)
{
    rig_send(&h, text, strlen(text), SIZE_MAX);
}

const char *converse(const char *bytes, size_t length, size_t piece)
{
    rig_send(&h, bytes, length, piece);
    while (rig_finish(&h, &delivered))
        ;
    return h.pipe.sent;
}

void dialogue(const char *client, const char *server)
{
    rig_open(&h, NULL);
    assert_string_equal(converse(client, strlen(client), SIZE_MAX), server);
    rig_close(&h);
    assert_true(rig_store_full(&h));
}
