"""Packet sizes: jumbo frames, a small segment size, and a path that becomes narrower under way."""

import pathlib
import shutil
import socket
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "links"))

import appliance  # noqa: E402
import bed  # noqa: E402
from customers import Customer  # noqa: E402
from session import Session, socket_in  # noqa: E402

TCP_MAXSEG = 2
FAR, FAR6 = "198.19.0.9", "2001:db8:2::9"
ROUNDS = 40
NOOPS = 250  # about 3.5 KB of replies a round


class Mtu(unittest.TestCase):
    def setUp(self):
        self.customer = Customer()
        self.addCleanup(self.customer.stop)

    def bed(self, changes=None, **options):
        box = bed.Bed([appliance.customer("example", ["example.org"], self.customer.port)],
                      changes, **options)
        self.addCleanup(box.stop)
        return box.start()

    def open(self, box, family, segment=None, namespace=None):
        inet = socket.AF_INET if family == 4 else socket.AF_INET6
        session = Session(socket_in(namespace or box.client, inet), 30)
        if segment is not None:
            session.socket.setsockopt(socket.IPPROTO_TCP, TCP_MAXSEG, segment)
        session.connect((appliance.ADDRESS if family == 4 else bed.ADDRESS6, 25))
        self.assertEqual(session.reply()[0], 220)
        session.ehlo()
        return session

    def deliver(self, session, size):
        content = bed.message(len(self.customer.taken), size)
        code, text = session.send(content)
        self.assertEqual(code, 250, text)
        self.assertEqual(self.customer.taken[-1].message, content)

    def noops(self, session, rounds, between=None):
        """Many commands in one go, so that the replies fill packets; `between` halfway."""
        for number in range(rounds):
            session.raw(b"NOOP\r\n" * NOOPS)
            if between is not None and number == rounds // 2:
                between()
            for _ in range(NOOPS):
                self.assertEqual(session.reply()[0], 250)

    @staticmethod
    def packet_size(before, after, way):
        return ((after[way + "_bytes"] - before[way + "_bytes"]) /
                max(1, after[way + "_packets"] - before[way + "_packets"]))

    @unittest.skipUnless(shutil.which("ethtool"), "ethtool is missing")
    def test_jumbo_frames(self):
        for family in (4, 6):
            with self.subTest(family=family):
                box = self.bed(kind="af_packet", mtu=9000)
                session = self.open(box, family)
                self.noops(session, 10)
                before = box.counters()
                self.deliver(session, 3000000)
                after = box.counters()
                self.assertGreater(self.packet_size(before, after, "rx"), 4000)
                session.say("QUIT")
                session.close()
                bed.settled(box)
                box.stop()

    def test_offloads_left_on(self):
        """A veth pair as it is: checksums unfilled, segments of up to 64 KB that the port cuts."""
        for family in (4, 6):
            with self.subTest(family=family):
                box = self.bed(kind="af_packet", offloads=True, port={"rx_checksum": "trust"})
                session = self.open(box, family)
                for size in (1000, 100000, 1000000):
                    self.deliver(session, size)
                session.say("QUIT")
                session.close()
                bed.settled(box)
                box.stop()

    def test_small_segments(self):
        """A client that offers 536 bytes gets no more, and one that sends so is taken."""
        box = self.bed()
        for family in (4, 6):
            with self.subTest(family=family):
                session = self.open(box, family, 536)
                before = box.counters()
                self.noops(session, 10)
                middle = box.counters()
                self.deliver(session, 300000)
                after = box.counters()
                self.assertLess(self.packet_size(before, middle, "tx"), 700)
                self.assertLess(self.packet_size(middle, after, "rx"), 700)
                session.say("QUIT")
                session.close()
        bed.settled(box)

    @unittest.skipUnless(shutil.which("ethtool"), "ethtool is missing")
    def test_path_becomes_narrower(self):
        """Behind a router that lets no more than 1300 bytes through while replies are in flight: its ICMP
        reaches us, and everything arrives."""
        for family in (4, 6):
            with self.subTest(family=family):
                box = self.bed({"limits": {"bad_commands": 1000}}, kind="af_packet",
                               port={"mac": "02:66:00:00:00:77"})
                self.route(box)
                session = self.open(box, family, namespace=box.far)
                self.noops(session, 4)

                def narrow(space=box.client):
                    # A route, not the link: what the client sends shall still get through.
                    appliance.ip("-n", space, "route", "add", FAR + "/32", "dev", "far0", "mtu",
                                 "lock", "1300")
                    appliance.ip("-n", space, "-6", "route", "add", FAR6 + "/128", "dev", "far0",
                                 "mtu", "1300")
                before = box.counters()
                self.noops(session, ROUNDS, narrow)
                after = box.counters()
                self.assertGreater(after["frame_icmp_other"], before["frame_icmp_other"])
                self.deliver(session, 500000)
                session.say("QUIT")
                session.close()
                bed.settled(box)
                box.stop()

    @staticmethod
    def route(box):
        """A router (the client's namespace) and a client behind it."""
        box.far = box.add_namespace("-f")
        box.quiet(box.far, 0)
        appliance.ip("link", "add", "far0", "netns", box.client, "type", "veth", "peer", "name",
                     "far1", "netns", box.far)
        for space, name in ((box.client, "far0"), (box.far, "far1")):
            appliance.ip("-n", space, "link", "set", name, "up")
            appliance.command("ip", "netns", "exec", space, "ethtool", "-K", name, "tx", "off",
                              "tso", "off", "gso", "off", "gro", "off")
        # Between the two namespaces: the first address of each network.
        for space, name, address in ((box.client, "far0", "198.19.0.1/24"),
                                     (box.client, "far0", "2001:db8:2::1/64"),
                                     (box.far, "far1", FAR + "/24"),
                                     (box.far, "far1", FAR6 + "/64")):
            appliance.ip("-n", space, "address", "add", address, "dev", name,
                         *(["nodad"] if ":" in address else []))
        for command in ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"):
            appliance.command("ip", "netns", "exec", box.client, "sysctl", "-qw", command)
        appliance.command("ip", "netns", "exec", box.client, "ethtool", "-K",
                          box.client_interface, "gro", "off")
        appliance.ip("-n", box.far, "route", "add", "default", "via", "198.19.0.1")
        appliance.ip("-n", box.far, "-6", "route", "add", "default", "via", "2001:db8:2::1")
