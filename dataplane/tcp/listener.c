/* Where connections are accepted. */
#include <string.h>

#include "dataplane/ip/interface.h"
#include "dataplane/tcp/connection.h"

enum status tcp_listeners_add(struct tcp_listeners *listeners, const uint8_t address[16],
                              uint16_t port, const struct tcp_application *application)
{
    struct tcp_listener *listener;

    for (uint32_t i = 0; i < listeners->count; i++) {
        listener = &listeners->at[i];
        if (listener->port == port && ip_address_equal(listener->address, address))
            return listener->application == application ? STATUS_OK : STATUS_BAD_ARGUMENT;
    }
    if (listeners->count == TCP_LISTENERS_MAX)
        return STATUS_NO_SPACE;
    listener = &listeners->at[listeners->count++];
    memcpy(listener->address, address, 16);
    listener->port = port;
    listener->application = application;
    return STATUS_OK;
}

const struct tcp_listener *tcp_listener_find(const struct tcp_endpoint *endpoint,
                                             const struct ip_flow *flow)
{
    for (uint32_t i = 0; i < endpoint->listeners.count; i++) {
        const struct tcp_listener *listener = &endpoint->listeners.at[i];

        if (listener->port == flow->local_port &&
            ip_address_equal(listener->address, flow->local_address))
            return listener;
    }
    return NULL;
}

enum status tcp_listeners_add_interface(struct tcp_listeners *listeners,
                                        const struct ip_interface *interface, uint16_t port,
                                        const struct tcp_application *application)
{
    uint8_t address[16];
    enum status status;

    ip_map4(address, interface->address);
    status = tcp_listeners_add(listeners, address, port, application);
    if (status == STATUS_OK)
        status = tcp_listeners_add(listeners, interface->link_local, port, application);
    if (status == STATUS_OK && interface->has_address6)
        status = tcp_listeners_add(listeners, interface->address6, port, application);
    return status;
}

const struct tcp_application *tcp_application_of(const struct tcp_connection *c)
{
    return tcp_above(c);
}
