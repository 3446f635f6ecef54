#include "control/resolve/resolver.h"

#include <event2/dns.h>
#include <event2/util.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/check.h"
#include "platform/log/notice.h"

struct resolver {
    struct evdns_base *dns;
    const char *configuration;
};

/* evdns calls back even for what was cancelled, later: the look-up lives until then. */
struct resolver_lookup {
    resolver_done done; /* null: nobody is waiting any more */
    void *context;
    struct evdns_getaddrinfo_request *request;
    bool starting; /* an answer now comes before resolver_start() has returned */
    bool answered;
};

static void resolver_read_servers(struct resolver *resolver)
{
    int result =
        evdns_base_resolv_conf_parse(resolver->dns, DNS_OPTIONS_ALL, resolver->configuration);

    if (result != 0)
        notice("%s names no name server (error %d); host names of routes are looked up in "
               "/etc/hosts and at 127.0.0.1",
               resolver->configuration, result);
}

enum status resolver_open(struct resolver **resolver, struct loop *loop, const char *configuration)
{
    struct resolver *made = calloc(1, sizeof(*made));

    *resolver = NULL;
    if (made == NULL)
        return STATUS_NO_MEMORY;
    made->dns = evdns_base_new(loop->base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (made->dns == NULL) {
        free(made);
        return STATUS_NO_MEMORY;
    }
    made->configuration = configuration;
    resolver_read_servers(made);
    *resolver = made;
    return STATUS_OK;
}

void resolver_reload(struct resolver *resolver)
{
    (void)evdns_base_clear_nameservers_and_suspend(resolver->dns);
    resolver_read_servers(resolver);
    (void)evdns_base_resume(resolver->dns);
}

void resolver_close(struct resolver *resolver)
{
    if (resolver == NULL)
        return;
    evdns_base_free(resolver->dns, 0);
    free(resolver);
}

socklen_t resolver_address_length(const union resolver_address *address)
{
    return address->any.sa_family == AF_INET ? sizeof(address->v4) : sizeof(address->v6);
}

/* Takes the list over. */
static void resolver_take_addresses(struct resolver_answer *answer, struct evutil_addrinfo *list)
{
    answer->count = 0;
    answer->why = "the name has no address";
    for (const struct evutil_addrinfo *a = list; a != NULL; a = a->ai_next) {
        if (answer->count == RESOLVER_ADDRESSES_MAX || a->ai_addrlen > sizeof(*answer->addresses))
            continue;
        memcpy(&answer->addresses[answer->count++], a->ai_addr, a->ai_addrlen);
    }
    if (list != NULL)
        evutil_freeaddrinfo(list);
}

static const struct evutil_addrinfo resolver_hints = {.ai_family = AF_UNSPEC,
                                                      .ai_socktype = SOCK_STREAM,
                                                      .ai_protocol = IPPROTO_TCP,
                                                      .ai_flags = EVUTIL_AI_NUMERICSERV};

bool resolver_numeric(const char *host, uint16_t port, struct resolver_answer *answer)
{
    struct evutil_addrinfo hints = resolver_hints;
    struct evutil_addrinfo *list = NULL;
    char text[8];

    hints.ai_flags |= EVUTIL_AI_NUMERICHOST;
    (void)snprintf(text, sizeof(text), "%u", port);
    if (evutil_getaddrinfo(host, text, &hints, &list) != 0)
        return false;
    resolver_take_addresses(answer, list);
    return answer->count > 0;
}

static void resolver_answered(int error, struct evutil_addrinfo *list, void *context)
{
    struct resolver_lookup *lookup = context;
    struct resolver_answer answer;

    resolver_take_addresses(&answer, list);
    if (error != 0)
        answer.why = evutil_gai_strerror(error);
    if (lookup->done != NULL)
        lookup->done(lookup->context, &answer);
    lookup->answered = true;
    if (!lookup->starting)
        free(lookup);
}

struct resolver_lookup *resolver_start(struct resolver *resolver, const char *host, uint16_t port,
                                       resolver_done done, void *context)
{
    struct resolver_lookup *lookup = resolver != NULL ? calloc(1, sizeof(*lookup)) : NULL;
    char text[8];

    if (lookup == NULL) {
        const struct resolver_answer none = {.why = resolver != NULL ? "out of memory"
                                                                     : "no resolver"};

        done(context, &none);
        return NULL;
    }
    lookup->done = done;
    lookup->context = context;
    lookup->starting = true;
    (void)snprintf(text, sizeof(text), "%u", port);
    lookup->request =
        evdns_getaddrinfo(resolver->dns, host, text, &resolver_hints, resolver_answered, lookup);
    lookup->starting = false;
    if (!lookup->answered)
        return lookup;
    free(lookup);
    return NULL;
}

void resolver_cancel(struct resolver_lookup *lookup)
{
    CHECK(lookup->done != NULL);
    lookup->done = NULL;
    if (lookup->request != NULL)
        evdns_getaddrinfo_cancel(lookup->request);
}
