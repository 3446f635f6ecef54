/* device.h: making DPDK see the device behind a configured port, and nothing else.
 *
 * TAP and AF_PACKET ports are virtual devices that are attached after EAL start, each while the
 * calling thread stands in the port's network namespace, because their drivers open /dev/net/tun,
 * packet and netlink sockets wherever the caller is. PCI devices were probed by EAL already and
 * are only looked up. Every way this fails is checked beforehand where the kernel can be asked, so
 * that the operator reads a cause and a cure and not a driver's errno.
 *
 * Main thread, start and stop only. `why` is >= 512 bytes.
 */
#ifndef PLATFORM_DPDK_DEVICE_H
#define PLATFORM_DPDK_DEVICE_H

#include "platform/config/config.h"
#include "platform/why.h"

/* A visit to a network namespace: the way back. `home` is -1 when none was needed. */
struct device_visit {
    int home;
};

/* Enters /run/netns/NAME; an empty name stays where we are. */
enum status device_enter(const char *network_namespace, struct device_visit *visit,
                         struct why *why) STATUS_CHECKED;
void device_leave(struct device_visit *visit);

/* Attaches (or finds) the device of port `index` and gives its DPDK port id. The caller stands in
 * the port's namespace. */
enum status device_attach(const struct config_port *port, unsigned index, unsigned queues,
                          uint16_t *id, struct why *why) STATUS_CHECKED;

/* Closes port `id` and removes its virtual device. The port is stopped. */
void device_detach(uint16_t id);

/* A PCI device of that address exists and is bound to a driver that DPDK can use. */
enum status device_check_pci(const char *address, struct why *why) STATUS_CHECKED;

/* Its driver leaves DMA unprotected and knows physical addresses only (uio). */
bool device_pci_is_uio(const char *address);
enum status device_set_interface_mtu(const char *interface, unsigned mtu) STATUS_CHECKED;

#endif
