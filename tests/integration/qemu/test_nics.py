"""The appliance on PCI network cards, as far as QEMU emulates them: real drivers of the kernel and
of DPDK, a real IOMMU's rules, no silicon. One guest for all tests; a class for each card.
"""

import copy
import hashlib
import os
import pathlib
import re
import socket
import subprocess
import time
import unittest

import image
import nics
import wire
from nics import mails

BUILD = pathlib.Path(os.environ["POSTERN_BUILD"])
MAILS = 200
MAIL_SECONDS = 100
DISK_CONTROLLER = "0000:00:1f.2"
BENCH = None


def setUpModule():  # noqa: N802 (unittest's name)
    global BENCH
    BENCH = nics.Bench(*image.make(BUILD))
    try:
        BENCH.start()
    except BaseException:
        BENCH.stop()
        raise


def tearDownModule():  # noqa: N802
    BENCH.stop()


class Card:
    """What every card must do; the classes below name the card."""

    nic = None
    workers = (1,)

    @classmethod
    def setUpClass(cls):
        cls.bench = BENCH
        cls.appliance = None

    @classmethod
    def tearDownClass(cls):
        if cls.appliance is not None:
            cls.appliance.stop()
            cls.appliance = None

    def running(self):
        """The appliance of this class, started by the first test that wants it."""
        cls = type(self)
        if cls.appliance is None:
            self.bench.bind(self.nic, self.nic.driver)
            cls.appliance = nics.GuestAppliance(self.bench, self.nic, self.workers).start()
        return cls.appliance

    def deliver(self, family, subject):
        """One message; the customer has exactly its bytes."""
        message = mails.attachment(subject, "noise.bin", os.urandom(20000))
        before = len(self.bench.customer.deliveries)
        code, text = self.running().send(message, family)
        self.assertEqual(code, 250, text)
        delivered = self.bench.customer.deliveries[before:]
        self.assertEqual([item.sha256 for item in delivered], [hashlib.sha256(message).hexdigest()])

    def test_1_answers_ping(self):
        appliance = self.running()
        self.assertEqual(appliance.ping(self.nic.address), 3)
        self.assertEqual(appliance.ping(self.nic.address6), 3)

    def test_2_mail_arrives_and_viruses_do_not(self):
        with wire.Wire(self.nic.interface) as outside:
            self.deliver(socket.AF_INET, "by IPv4")
            self.deliver(socket.AF_INET6, "by IPv6")
            before = len(self.bench.customer.deliveries)
            code, text = self.running().send(
                mails.attachment("infected", "test.bin", mails.eicar()))
            self.assertEqual(code, 554, text)
            self.assertIn(nics.EICAR_NAME, text)
            self.assertEqual(len(self.bench.customer.deliveries), before)
            time.sleep(0.3)
        self.check_sent(outside, {"tcp4": 10, "tcp6": 5})

    def check_sent(self, outside, least):
        """Every checksum of what came out of the guest is right, and there were some."""
        for kind, count in least.items():
            self.assertGreaterEqual(sum(1 for segment in outside.segments if segment.kind == kind),
                                    count, kind)
        wrong = [(segment.kind, segment.wrong) for segment in outside.segments if segment.wrong]
        self.assertEqual(wrong, [])

    def test_3_many_mails(self):
        appliance = self.running()
        before = len(self.bench.customer.deliveries)
        with wire.Wire(self.nic.interface) as outside:
            result = subprocess.run(
                ["smtp-source", "-s", "5", "-m", str(MAILS), "-l", "4000", "-f",
                 "sender@example.net", "-t", "alice@example.org", self.nic.address + ":25"],
                capture_output=True, text=True, timeout=MAIL_SECONDS, check=False)
            time.sleep(0.3)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(len(self.bench.customer.deliveries) - before, MAILS)
        self.check_sent(outside, {"tcp4": 5 * MAILS})
        counters = appliance.counters()
        for name in ("tcp_in_bad_checksum", "frame_bad_checksum", "frame_scattered", "no_mbuf",
                     "tx_full", "message_cut_off"):
            self.assertEqual(counters[name], 0, name)
        self.assertEqual(counters["blocks_free"], counters["blocks_total"])
        self.check_spread(counters)

    def check_spread(self, counters):
        self.assertEqual(counters["passed_on"], 0)

    def test_4_bad_checksums_are_refused(self):
        appliance = self.running()
        before = appliance.counters()
        with wire.Wire(self.nic.interface) as outside:
            for number, wrong in enumerate(((), ("tcp",), ("ip",))):
                outside.send(wire.syn(outside, self.nic.mac,
                                      self.nic.neighbour.rsplit(".", 1)[0] + ".77",
                                      self.nic.address, 5000 + number, wrong))
            time.sleep(1)
        answered = {segment.ports[1] for segment in outside.segments
                    if segment.kind == "tcp4" and segment.flags == wire.SYN | wire.ACK}
        self.assertEqual(answered, {5000})
        self.check_sent(outside, {"tcp4": 1})
        after = appliance.counters()
        for name in ("tcp_in_bad_checksum", "frame_bad_checksum"):
            self.assertEqual(after[name] - before[name], 1, name)

    def test_5_serves_again_after_a_crash(self):
        appliance = self.running()
        appliance.kill_dataplane()
        nics.appliance.wait_for(lambda: appliance.said("postern-dataplane: serving") == 2,
                                nics.START_SECONDS, "serving again")
        nics.appliance.wait_for(appliance.complete, nics.START_SECONDS, "ready again")
        self.deliver(socket.AF_INET, "after a crash")

    def test_6_starts_again_with_the_cable_out(self):
        appliance = self.running()
        self.assertFalse(appliance.stop(), "it had to be killed")
        self.bench.guest.set_link(self.nic.name, False)
        try:
            appliance.start()
            self.assertIn("port %s: started, but the link is down after 5 s; check the cable" %
                          self.nic.pci, appliance.log())
        finally:
            self.bench.guest.set_link(self.nic.name, True)
        nics.appliance.wait_for(lambda: appliance.ping(self.nic.address, 1) == 1, 20,
                                "answered, with the cable in")
        self.deliver(socket.AF_INET, "with the cable in")
        self.assertFalse(appliance.stop(), "it had to be killed")
        type(self).appliance = None


class TwoWorkers(Card):
    """Both workers have mail, whoever spreads the connections."""

    workers = (1, 2)

    def both_have_mail(self):
        appliance = self.running()
        found = set(re.findall(r"postern/smtpd\[(worker\d+)\]", appliance.log()))
        self.assertEqual(found, {"worker0", "worker1"})


class TestE1000e(Card, unittest.TestCase):
    """82574 behind an IOMMU, by vfio-pci."""

    nic = nics.E1000E


class TestE1000eSoftware(TwoWorkers, unittest.TestCase):
    """Two workers on a card without a hash: worker 0 spreads."""

    nic = nics.E1000E

    def check_spread(self, counters):
        self.assertGreater(counters["passed_on"], MAILS)
        self.both_have_mail()

    def test_0_refuses_rss(self):
        self.bench.bind(self.nic, self.nic.driver)
        appliance = nics.GuestAppliance(self.bench, self.nic, self.workers, {"spreading": "rss"})
        self.assertIn("port %s cannot spread connections over 2 workers (2 queue pairs, no RSS for "
                      "TCP); set spreading: software, or use fewer workers" % self.nic.pci,
                      appliance.refused())


class TestE1000(Card, unittest.TestCase):
    """82540 without an IOMMU's help."""

    nic = nics.E1000

    def test_0_refuses_the_kernels_driver(self):
        self.bench.bind(self.nic, self.nic.kernel_driver)
        appliance = nics.GuestAppliance(self.bench, self.nic)
        self.assertIn("PCI port %s is bound to the kernel driver e1000; run: dpdk-devbind.py "
                      "-b vfio-pci %s" % (self.nic.pci, self.nic.pci), appliance.refused())


    def test_0_refuses_to_do_without_hugepages(self):
        self.bench.bind(self.nic, self.nic.driver)
        appliance = nics.GuestAppliance(self.bench, self.nic, memory={"hugepages": "off"})
        self.assertIn("PCI port %s is bound to a uio driver, which needs hugepages; run: echo 64 > "
                      "/proc/sys/vm/nr_hugepages, or use vfio-pci" % self.nic.pci,
                      appliance.refused())

    def test_0_refuses_what_is_no_network_card(self):
        disk = copy.copy(self.nic)
        disk.name, disk.pci = "disk", DISK_CONTROLLER
        self.bench.bind(disk, disk.driver)
        appliance = nics.GuestAppliance(self.bench, disk)
        self.assertIn("PCI port %s was not taken by any DPDK driver" % disk.pci,
                      appliance.refused())


class TestE1000eNormalPages(unittest.TestCase):
    """The IOMMU needs no hugepages."""

    def test_mail_arrives(self):
        BENCH.bind(nics.E1000E, nics.E1000E.driver)
        appliance = nics.GuestAppliance(BENCH, nics.E1000E, memory={"hugepages": "off"}).start()
        try:
            self.assertIn("messages on normal pages", appliance.log())
            code, text = appliance.send(mails.attachment("plain", "noise.bin", os.urandom(200000)))
            self.assertEqual(code, 250, text)
        finally:
            self.assertFalse(appliance.stop(), "it had to be killed")


class TestVirtio(Card, unittest.TestCase):
    """virtio 1.0; TCP from the host comes with its checksum not filled in."""

    nic = nics.VIRTIO


class TestVirtioRss(TwoWorkers, unittest.TestCase):
    """virtio 1.0 with two queue pairs, which the card's hash fills."""

    nic = nics.VIRTIO_RSS

    def check_spread(self, counters):
        self.assertEqual(counters["passed_on"], 0)
        self.both_have_mail()


class TestVirtioException(unittest.TestCase):
    """The kernel behind a shared port gets packets it can use, and mail still comes to us."""

    def test_the_kernel_answers_too(self):
        nic = nics.VIRTIO
        guest = BENCH.guest
        BENCH.bind(nic, nic.driver)
        appliance = nics.GuestAppliance(BENCH, nic, port={"exception_interface": "kernel0"}).start()
        try:
            kernel = nic.address.rsplit(".", 1)[0] + ".3"
            guest.run("ip address add %s/24 dev kernel0 && ip link set kernel0 up" % kernel)
            listener = guest.run("echo from the kernel | nc -l -p 22 >/tmp/heard & echo $!")
            self.assertEqual(appliance.ping(kernel), 3)
            with socket.create_connection((kernel, 22), 20) as connection:
                connection.sendall(b"from outside\n")
                connection.shutdown(socket.SHUT_WR)
                self.assertEqual(connection.makefile().readline(), "from the kernel\n")
            nics.appliance.wait_for(
                lambda: guest.try_run("kill -0 %s" % listener.split()[-1])[0] != 0, 10, "heard")
            self.assertEqual(guest.run("cat /tmp/heard").strip(), "from outside")
            code, text = appliance.send(mails.plain("shared", b"Hello.\n"))
            self.assertEqual(code, 250, text)
        finally:
            self.assertFalse(appliance.stop(), "it had to be killed")


class TestVmxnet3(Card, unittest.TestCase):
    """Has no unit for the IPv4 checksum."""

    nic = nics.VMXNET3
