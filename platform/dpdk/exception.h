/* exception.h: the way to the kernel for what comes in on a port and is not mail.
 *
 * A TAP interface with the port's MAC address stands for the port in the kernel. The worker hands
 * over frames that are not for our address and port, and sends what the kernel sends there, so that
 * SSH, BGP and ping keep working on a machine whose only NIC is ours. One queue, served by worker
 * 0.
 *
 * Main thread, start and stop only.
 */
#ifndef PLATFORM_DPDK_EXCEPTION_H
#define PLATFORM_DPDK_EXCEPTION_H

#include "platform/dpdk/port.h"
#include "platform/why.h"

/* Makes and starts the interface that config_port.exception_interface names, for an open `port`
 * (number `index`); its packets come from `pool`. Sets port->has_exception and exception_id. */
enum status exception_open(struct port *port, unsigned index, struct rte_mempool *pool,
                           struct why *why) STATUS_CHECKED;

void exception_close(struct port *port);

#endif
