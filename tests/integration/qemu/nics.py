"""The emulated network cards of the guest, and the appliance that runs in it on one of them."""

import ctypes
import json
import pathlib
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import appliance  # noqa: E402 (also makes platform/demo importable)
import mails  # noqa: E402
from customer import CustomerServer  # noqa: E402
from session import Session  # noqa: E402

import guest as guests  # noqa: E402

CLONE_NEWNET = 0x40000000
EICAR_NAME = "Postern.Test.EICAR"
START_SECONDS = 60
STOP_SECONDS = 45
FIRST_SLOT = 0x10

_libc = ctypes.CDLL(None, use_errno=True)


class Nic:
    """One emulated card. Its number gives it a PCI slot, an interface outside and addresses."""

    _count = 0

    def __init__(self, name, device, driver, kernel_driver="", netdev="vnet_hdr=off"):
        self.name = name
        self.number = Nic._count
        Nic._count += 1
        self.device = device
        self.driver = driver                # that DPDK works through
        self.kernel_driver = kernel_driver  # the kernel's own, where the guest has it
        self.netdev = netdev
        self.interface = "wire%d" % self.number
        self.pci = "0000:00:%02x.0" % (FIRST_SLOT + self.number)
        self.address = "198.18.%d.2" % self.number
        self.neighbour = "198.18.%d.1" % self.number
        self.address6 = "fd98:0:0:%x::2" % self.number
        self.neighbour6 = "fd98:0:0:%x::1" % self.number
        self.mac = bytes((0x52, 0x54, 0, 0x50, 0, self.number))

    def words(self):
        """What QEMU must be told."""
        mac = ":".join("%02x" % byte for byte in self.mac)
        return ["-netdev", "tap,id=cable%d,ifname=%s,script=no,downscript=no,%s" %
                (self.number, self.interface, self.netdev),
                "-device", "%s,id=%s,netdev=cable%d,mac=%s,addr=0x%02x,romfile=" %
                (self.device, self.name, self.number, mac, FIRST_SLOT + self.number)]

    def connect_outside(self):
        appliance.ip("link", "set", self.interface, "up")
        appliance.ip("address", "add", self.neighbour + "/24", "dev", self.interface)
        appliance.ip("address", "add", self.neighbour6 + "/64", "dev", self.interface, "nodad")


# Frames leave a card without vnet_hdr as a wire would carry them: checksums are QEMU's emulation of
# the card's own units. With vnet_hdr (virtio's default) the host hands in packets whose checksums
# nobody has filled in, as between two virtual machines of one host.
E1000E = Nic("e1000e", "e1000e", "vfio-pci")
E1000 = Nic("e1000", "e1000", "uio_pci_generic", kernel_driver="e1000")
VIRTIO = Nic("virtio", "virtio-net-pci,disable-legacy=on", "uio_pci_generic", netdev="vnet_hdr=on")
VIRTIO_RSS = Nic("virtio-rss", "virtio-net-pci,disable-legacy=on,mq=on,rss=on,vectors=6",
                 "uio_pci_generic", netdev="vnet_hdr=on,queues=2")
VMXNET3 = Nic("vmxnet3", "vmxnet3", "uio_pci_generic")
ALL = (E1000E, E1000, VIRTIO, VIRTIO_RSS, VMXNET3)


def own_network():
    """Moves this process (before it has threads) into a network namespace of its own; all that the
    tests make there is gone with it."""
    if _libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    appliance.ip("link", "set", "lo", "up")


class Bench:
    """The guest with all cards, and the customer's server outside."""

    def __init__(self, vmlinuz, initramfs):
        words = [word for nic in ALL for word in nic.words()]
        self.guest = guests.Guest(vmlinuz, initramfs, words)
        self.customer = CustomerServer()

    def start(self):
        self.customer.start()
        self.guest.boot()
        for nic in ALL:
            nic.connect_outside()
        self.guest.run("ip address add 10.0.2.15/24 dev eth0 && ip link set eth0 up")
        self.guest.run("echo 96 >/proc/sys/vm/nr_hugepages")
        self.guest.run("mkdir -p /signatures /etc/postern /run/postern")
        self.guest.write("/signatures/test.ndb", mails.eicar_signature(EICAR_NAME))
        return self

    def stop(self):
        self.guest.stop()
        self.customer.stop()

    def bound_to(self, nic):
        """The name of the driver a card is bound to, or "" without one."""
        path = "/sys/bus/pci/devices/%s/driver" % nic.pci
        return self.guest.run("readlink %s || true" % path).strip().rsplit("/", 1)[-1]

    def bind(self, nic, driver):
        """What dpdk-devbind.py does, by hand."""
        device = "/sys/bus/pci/devices/" + nic.pci
        self.guest.run("echo %s >%s/driver_override" % (driver, device))
        if self.bound_to(nic):
            self.guest.run("echo %s >%s/driver/unbind" % (nic.pci, device))
        self.guest.run("echo %s >/sys/bus/pci/drivers_probe" % nic.pci)
        if self.bound_to(nic) != driver:
            raise AssertionError("%s is bound to '%s', not to %s" %
                                 (nic.name, self.bound_to(nic), driver))


class GuestAppliance:
    """`postern run` in the guest, on one card. `workers` is a list of the guest's cpus."""

    def __init__(self, bench, nic, workers=(1,), port=None, memory=None):
        self.bench = bench
        self.guest = bench.guest
        self.nic = nic
        self.pid = 0
        self.config_path = "/etc/postern/%s.yaml" % nic.name
        self.log_path = "/tmp/%s.log" % nic.name
        entry = {"kind": "pci", "pci_address": nic.pci, "address": nic.address + "/24",
                 "address6": nic.address6 + "/64"}
        entry.update(port or {})
        settings = {"hugepages": "required", "messages": "64M", "packets": "64M"}
        settings.update(memory or {})
        lines, _ = appliance.yaml_lines({
            "hostname": "mx1.example.org",
            "ports": [entry],
            "cores": {"main": 0, "workers": ",".join(map(str, workers)), "idle": "adaptive"},
            "memory": settings,
            "limits": {"message_size": "10M", "connections": 1000},
            "scanner": {"database": "/signatures", "processes": 1},
            "customers": [appliance.customer("example", ["example.org"], bench.customer.port,
                                             route={"host": "10.0.2.2"})],
        })
        self.config = "\n".join(lines) + "\n"

    def launch(self):
        self.guest.write(self.config_path, self.config)
        self.pid = int(self.guest.run("postern run -c %s >%s 2>&1 & echo $!" %
                                      (self.config_path, self.log_path)).split()[-1])

    def alive(self):
        return self.guest.try_run("kill -0 %d" % self.pid)[0] == 0

    def log(self):
        return self.guest.run("tail -c 8000 " + self.log_path)

    def said(self, text):
        """How many lines of its whole log hold `text`."""
        return int(self.guest.run("grep -c '%s' %s || true" % (text, self.log_path)))

    def start(self):
        self.launch()
        until = time.monotonic() + START_SECONDS
        while "postern: ready" not in self.log():
            if not self.alive():
                raise AssertionError("postern run has ended:\n" + self.log())
            if time.monotonic() > until:
                log = self.log()
                self.stop()
                raise AssertionError("not ready in %d s:\n%s" % (START_SECONDS, log))
            time.sleep(0.2)
        return self

    def refused(self):
        """Starts the dataplane alone, where it must not start; what it said."""
        self.guest.write(self.config_path, self.config)
        code, text = self.guest.try_run("timeout %d postern-dataplane -c %s" %
                                        (START_SECONDS, self.config_path), START_SECONDS + 30)
        if code != 1:
            raise AssertionError("exit code %d where it should refuse:\n%s" % (code, text))
        return text

    def stop(self):
        """TERM and the end of it; True when it had to be killed."""
        pid, self.pid = self.pid, 0
        if pid == 0:
            return False
        self.guest.try_run("kill -TERM %d" % pid)
        until = time.monotonic() + STOP_SECONDS
        while self.guest.try_run("kill -0 %d" % pid)[0] == 0:
            if time.monotonic() > until:
                self.guest.try_run("kill -KILL %d $(pidof postern-dataplane postern-scanner "
                                   "postern-control)" % pid)
                return True
            time.sleep(0.2)
        return False

    def kill_dataplane(self):
        """As if it had crashed: the card is left as it is. `postern run` starts another one."""
        self.guest.run("kill -KILL $(pidof postern-dataplane)")

    def status(self):
        return json.loads(self.guest.run("postern status --json -c " + self.config_path))

    def counters(self):
        return self.status()["counters"]

    def complete(self):
        """All processes have found each other."""
        counters = self.status().get("counters", {})
        return counters.get("control_ready", 0) > 0 and counters.get("scanners_ready", 0) > 0

    # Talking to it from outside.

    def connect(self, family=socket.AF_INET, timeout=60):
        session = Session(socket.socket(family, socket.SOCK_STREAM), timeout)
        session.connect((self.nic.address if family == socket.AF_INET else self.nic.address6, 25))
        code, text = session.reply()
        if code != 220:
            raise AssertionError("greeting %d %s" % (code, text))
        return session

    def send(self, message, family=socket.AF_INET):
        """(code, text) of one message's end."""
        session = self.connect(family)
        try:
            session.ehlo()
            return session.send(message)
        finally:
            session.close()

    def ping(self, address, count=3):
        """Answers that came."""
        result = subprocess.run(["ping", "-c", str(count), "-i", "0.2", "-W", "3", address],
                                capture_output=True, text=True, check=False)
        for line in result.stdout.splitlines():
            if " received" in line:
                return int(line.split(" received")[0].split()[-1])
        return 0
