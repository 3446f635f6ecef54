#include "platform/dpdk/device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/check.h"
#include "platform/dpdk/arguments.h"
#include "platform/dpdk/chatter.h"
#include "platform/why.h"

static bool device_has_capability(unsigned capability)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

    if (syscall(SYS_capget, &header, data) != 0)
        return false;
    return (data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability)) != 0;
}

enum status device_enter(const char *network_namespace, struct device_visit *visit, struct why *why)
{
    char path[128];

    visit->home = -1;
    if (network_namespace[0] == '\0')
        return STATUS_OK;
    snprintf(path, sizeof(path), "/run/netns/%s", network_namespace);
    int there = open(path, O_RDONLY | O_CLOEXEC);
    if (there < 0) {
        why_set(why, "network namespace %s does not exist; run: ip netns add %s", network_namespace,
                network_namespace);
        return STATUS_NOT_FOUND;
    }
    int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (home >= 0 && setns(there, CLONE_NEWNET) == 0) {
        close(there);
        visit->home = home;
        return STATUS_OK;
    }
    int error = errno;
    close(there);
    if (home >= 0)
        close(home);
    if (error == EPERM) {
        why_set(why, "network namespace %s may not be entered: run as root (CAP_SYS_ADMIN)",
                network_namespace);
        return STATUS_NOT_PERMITTED;
    }
    why_set(why, "network namespace %s cannot be entered: %s; make it anew with ip netns",
            network_namespace, strerror(error));
    return STATUS_SYSTEM;
}

void device_leave(struct device_visit *visit)
{
    if (visit->home < 0)
        return;
    /* Whoever could leave may return; staying in a port's namespace would misplace every later
     * socket of this process. */
    CHECK(setns(visit->home, CLONE_NEWNET) == 0);
    close(visit->home);
    visit->home = -1;
}

static enum status device_interface_request(const char *interface, unsigned long request,
                                            struct ifreq *wanted)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return STATUS_SYSTEM;
    snprintf(wanted->ifr_name, sizeof(wanted->ifr_name), "%s", interface);
    int result = ioctl(fd, request, wanted);
    int error = errno;
    close(fd);
    if (result == 0)
        return STATUS_OK;
    if (error == ENODEV)
        return STATUS_NOT_FOUND;
    return error == EPERM ? STATUS_NOT_PERMITTED : STATUS_SYSTEM;
}

/* MTU of a kernel interface in this namespace. */
static enum status device_interface_mtu(const char *interface, unsigned *mtu)
{
    struct ifreq request = {0};
    enum status status = device_interface_request(interface, SIOCGIFMTU, &request);

    if (status == STATUS_OK)
        *mtu = (unsigned)request.ifr_mtu;
    return status;
}

enum status device_set_interface_mtu(const char *interface, unsigned mtu)
{
    struct ifreq request = {.ifr_mtu = (int)mtu};

    return device_interface_request(interface, SIOCSIFMTU, &request);
}

static enum status device_check_tap(const struct config_port *port, struct why *why)
{
    if (access("/dev/net/tun", F_OK) != 0) {
        why_set(why, "TAP port %s: /dev/net/tun is missing; run: modprobe tun", port->interface);
        return STATUS_UNSUPPORTED;
    }
    if (!device_has_capability(CAP_NET_ADMIN) || access("/dev/net/tun", R_OK | W_OK) != 0) {
        why_set(why, "TAP port %s cannot be made: run as root (CAP_NET_ADMIN)", port->interface);
        return STATUS_NOT_PERMITTED;
    }
    if (if_nametoindex(port->interface) != 0) {
        why_set(why,
                "TAP port %s: an interface of that name exists already; choose another name or "
                "run: ip %s%s link delete %s",
                port->interface, port->network_namespace[0] != '\0' ? "-n " : "",
                port->network_namespace, port->interface);
        return STATUS_IN_USE;
    }
    return STATUS_OK;
}

static enum status device_check_af_packet(const struct config_port *port, struct why *why)
{
    struct ifreq request = {0};
    enum status status = device_interface_request(port->interface, SIOCGIFFLAGS, &request);
    const char *name_space = port->network_namespace;
    const char *option = name_space[0] != '\0' ? "-n " : "";
    const char *blank = name_space[0] != '\0' ? " " : "";

    if (status != STATUS_OK) {
        why_set(why, "AF_PACKET port %s: no such interface; list them with: ip %s%s%slink",
                port->interface, option, name_space, blank);
        return STATUS_NOT_FOUND;
    }
    if (!device_has_capability(CAP_NET_RAW) || !device_has_capability(CAP_NET_ADMIN)) {
        why_set(why, "AF_PACKET port %s cannot be opened: run as root (CAP_NET_RAW, CAP_NET_ADMIN)",
                port->interface);
        return STATUS_NOT_PERMITTED;
    }
    if ((request.ifr_flags & IFF_UP) == 0) {
        why_set(why, "AF_PACKET port %s is down; run: ip %s%s%slink set %s up", port->interface,
                option, name_space, blank, port->interface);
        return STATUS_BAD_CONFIG;
    }
    unsigned mtu = 0;
    status = device_interface_mtu(port->interface, &mtu);
    if (status == STATUS_OK && mtu < port->mtu) {
        why_set(why,
                "AF_PACKET port %s has MTU %u, less than the configured %u; run: ip %s%s%slink set "
                "%s mtu %u",
                port->interface, mtu, port->mtu, option, name_space, blank, port->interface,
                port->mtu);
        return STATUS_BAD_CONFIG;
    }
    return status;
}

/* Drivers DPDK works through; the last two share the device with the kernel by design. */
static bool device_usable_driver(const char *driver)
{
    static const char *const drivers[] = {"vfio-pci", "uio_pci_generic", "igb_uio", "mlx4_core",
                                          "mlx5_core"};

    for (unsigned i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
        if (strcmp(driver, drivers[i]) == 0)
            return true;
    }
    return false;
}

/* False when it has no driver. */
static bool device_pci_driver(const char *address, char *driver, size_t size)
{
    char path[128];
    char target[256];

    snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", address);
    ssize_t length = readlink(path, target, sizeof(target) - 1);
    if (length < 0)
        return false;
    target[length] = '\0';
    const char *slash = strrchr(target, '/');
    snprintf(driver, size, "%s", slash != NULL ? slash + 1 : target);
    return true;
}

bool device_pci_is_uio(const char *address)
{
    char driver[256];

    return device_pci_driver(address, driver, sizeof(driver)) &&
           (strcmp(driver, "uio_pci_generic") == 0 || strcmp(driver, "igb_uio") == 0);
}

enum status device_check_pci(const char *address, struct why *why)
{
    char path[128];
    char driver[256];

    snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", address);
    if (access(path, F_OK) != 0) {
        why_set(why,
                "PCI port %s: no such device; list them with: dpdk-devbind.py --status-dev net",
                address);
        return STATUS_NOT_FOUND;
    }
    if (!device_pci_driver(address, driver, sizeof(driver))) {
        why_set(why, "PCI port %s has no driver; run: dpdk-devbind.py -b vfio-pci %s", address,
                address);
        return STATUS_BAD_CONFIG;
    }
    if (device_usable_driver(driver))
        return STATUS_OK;
    why_set(why,
            "PCI port %s is bound to the kernel driver %s; run: dpdk-devbind.py -b vfio-pci %s",
            address, driver, address);
    return STATUS_IN_USE;
}

static enum status device_find_pci(const struct config_port *port, uint16_t *id, struct why *why)
{
    enum status status = device_check_pci(port->pci_address, why);

    if (status != STATUS_OK)
        return status;
    if (rte_eth_dev_get_port_by_name(port->pci_address, id) == 0)
        return STATUS_OK;
    why_set(why,
            "PCI port %s was not taken by any DPDK driver; check that it is a network device DPDK "
            "22.11 knows, and its IOMMU group (dmesg | grep -i vfio)",
            port->pci_address);
    return STATUS_UNSUPPORTED;
}

enum status device_attach(const struct config_port *port, unsigned index, unsigned queues,
                          uint16_t *id, struct why *why)
{
    char name[32];
    char arguments[EAL_DEVARGS_BYTES];
    char last[200];
    struct chatter chatter;

    if (port->kind == CONFIG_PORT_PCI)
        return device_find_pci(port, id, why);
    enum status status = eal_device_arguments(port, index, queues, name, arguments);
    if (status != STATUS_OK) {
        why_set(why,
                "port %u: '%s' is no usable interface name; use letters, digits, "
                "'-', '_' and '.'",
                index, port->interface);
        return status;
    }
    status = port->kind == CONFIG_PORT_TAP ? device_check_tap(port, why)
                                           : device_check_af_packet(port, why);
    if (status != STATUS_OK)
        return status;

    chatter_begin(&chatter);
    int result = rte_eal_hotplug_add("vdev", name, arguments);
    chatter_end(&chatter, last, sizeof(last));
    if (result == 0 && rte_eth_dev_get_port_by_name(name, id) == 0)
        return STATUS_OK;
    why_set(why, "port %s cannot be opened: %s (%s)", port->interface,
            result == 0 ? "it made no DPDK port" : rte_strerror(-result), last);
    return result == -EEXIST ? STATUS_IN_USE : STATUS_SYSTEM;
}

void device_detach(uint16_t id)
{
    struct rte_eth_dev_info information;
    struct chatter chatter;

    chatter_begin(&chatter);
    bool known = rte_eth_dev_info_get(id, &information) == 0;
    (void)rte_eth_dev_close(id);
    if (known && information.device != NULL &&
        strcmp(rte_bus_name(rte_dev_bus(information.device)), "vdev") == 0)
        (void)rte_dev_remove(information.device);
    chatter_end(&chatter, NULL, 0);
}
