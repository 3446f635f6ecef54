/* office.h: a customer's server that is part of the loop, so that it keeps the test's time; and a
 * name server of the same kind.
 *
 * Failures end the test by cmocka's assertions.
 */
#ifndef TESTS_UNIT_RELAY_OFFICE_H
#define TESTS_UNIT_RELAY_OFFICE_H

#include <event2/dns.h>
#include <event2/listener.h>

#include "tests/unit/relay/rig.h"

struct office_session;

struct office {
    struct rig *rig;
    struct evconnlistener *listener; /* null: closed */
    uint16_t port;
    bool mute;        /* it takes connections and says nothing */
    int64_t delay_ns; /* before the answer to the end of data */
    struct office_session *sessions;
    unsigned connections; /* ever taken */
    unsigned waiting;     /* messages that wait for their answer */
    unsigned taken;       /* those answered 250 */
};

/* Opens, or opens again on its old port. */
void office_open(struct office *office, struct rig *rig);

/* Nobody listens any more, and all connections end. */
void office_close(struct office *office);

struct names_office {
    struct evdns_server_port *server;
    uint16_t port;
    bool silent;
    bool failing;     /* every name is unknown */
    unsigned queries; /* for addresses of version 4 */
};

/* Every name has the address 127.0.0.1. Writes a resolv.conf that names it into the rig's
 * directory. */
void names_office_open(struct names_office *office, struct rig *rig, char *path, size_t size);
void names_office_close(struct names_office *office);

#endif
