/* mail.h: an SMTP server over the rig's store, and what became of its messages. */
#ifndef TESTS_UNIT_STREAM_MAIL_H
#define TESTS_UNIT_STREAM_MAIL_H

#include "dataplane/policy/reply.h"
#include "tests/unit/ip/rig.h"

#define MAIL_BYTES_MAX 65536u

struct mail {
    struct config config;
    struct config_customer customer;
    struct smtp_customers *table;
    struct smtp_server server;
    struct stream_listener listener;
    struct message *submitted; /* waits for mail_accept() */
    uint8_t bytes[MAIL_BYTES_MAX];
    uint32_t length; /* of the one submitted last, without our trace */
    unsigned concluded;
};

/* `kind` may be null. `hostname` is what the banner says. */
void mail_init(struct mail *mail, struct rig *rig, const struct stream_kind *kind,
               const char *hostname);
void mail_fini(struct mail *mail);

/* The message that waits is delivered. */
void mail_accept(struct mail *mail, int64_t now_ns);

#endif
