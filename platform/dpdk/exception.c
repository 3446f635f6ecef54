#include "platform/dpdk/exception.h"

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <string.h>

#include "platform/dpdk/chatter.h"
#include "platform/dpdk/device.h"
#include "platform/why.h"

#define EXCEPTION_DESCRIPTORS 512u

/* The interface as a TAP port of its own, so that it is made like one. Its number keeps its device
 * name apart from those of the ports. */
static struct config_port exception_config(const struct config_port *port)
{
    struct config_port config = {.kind = CONFIG_PORT_TAP, .mtu = port->mtu};

    memcpy(config.interface, port->exception_interface, sizeof(config.interface));
    memcpy(config.network_namespace, port->exception_namespace, sizeof(config.network_namespace));
    return config;
}

static int exception_start(const struct port *port, uint16_t id, struct rte_mempool *pool)
{
    struct rte_eth_conf conf = {0};
    struct rte_ether_addr mac;
    int result = rte_eth_dev_configure(id, 1, 1, &conf);

    memcpy(mac.addr_bytes, port->mac, sizeof(mac.addr_bytes));
    if (result == 0)
        result = rte_eth_rx_queue_setup(id, 0, EXCEPTION_DESCRIPTORS, SOCKET_ID_ANY, NULL, pool);
    if (result == 0)
        result = rte_eth_tx_queue_setup(id, 0, EXCEPTION_DESCRIPTORS, SOCKET_ID_ANY, NULL);
    if (result == 0)
        result = rte_eth_dev_start(id);
    /* The kernel's end gets the port's address: both speak for the same wire. */
    if (result == 0)
        result = rte_eth_dev_default_mac_addr_set(id, &mac);
    return result;
}

enum status exception_open(struct port *port, unsigned index, struct rte_mempool *pool,
                           struct why *why)
{
    struct config_port config = exception_config(port->config);
    struct device_visit visit;
    struct chatter chatter;
    uint16_t id;
    int result;
    enum status status = device_enter(config.network_namespace, &visit, why);

    if (status != STATUS_OK)
        return status;
    status = device_attach(&config, CONFIG_PORTS_MAX + index, 1, &id, why);
    if (status == STATUS_OK) {
        chatter_begin(&chatter);
        result = exception_start(port, id, pool);
        chatter_end(&chatter, NULL, 0);
        if (result == 0) {
            port->has_exception = true;
            port->exception_id = id;
        } else {
            why_set(why, "exception interface %s cannot be started: %s", config.interface,
                    rte_strerror(-result));
            device_detach(id);
            status = STATUS_SYSTEM;
        }
    }
    device_leave(&visit);
    return status;
}

void exception_close(struct port *port)
{
    struct chatter chatter;

    if (!port->has_exception)
        return;
    chatter_begin(&chatter);
    (void)rte_eth_dev_stop(port->exception_id);
    chatter_end(&chatter, NULL, 0);
    device_detach(port->exception_id);
    port->has_exception = false;
}
