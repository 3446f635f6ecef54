"""A TCP peer in a test's own hands, made with scapy: it sends exactly the segments it is told to and
answers nothing by itself. It has an address and a MAC that no kernel knows, so no kernel meddles.

With POSTERN_TEST_CAPTURES=DIRECTORY every Wire writes what it sent and got to a file there, in
pcap form, for replaying elsewhere.
"""

import contextlib
import functools
import itertools
import os
import pathlib
import select
import socket
import time
import unittest

os.environ.setdefault("SCAPY_USE_LIBPCAP", "0")
from scapy.config import conf  # noqa: E402
conf.ipv6_enabled = True
from scapy.layers.inet import ICMP, IP, TCP  # noqa: E402
from scapy.layers.inet6 import IPv6  # noqa: E402
from scapy.layers.l2 import Dot1Q, Ether  # noqa: E402
from scapy.packet import Raw  # noqa: E402
from scapy.utils import wrpcap  # noqa: E402

import appliance  # noqa: E402
import bed  # noqa: E402
from customers import Customer  # noqa: E402
from session import socket_in  # noqa: E402

OWN_MAC = "02:66:00:00:00:01"
PORT_MAC = "02:50:c6:12:00:02"  # of a TAP port with the tests' address
OWN = "198.18.0.66"
OWN6 = "2001:db8:1::66"
QUIET = 0.12  # longer than a delayed acknowledgement
_PACKET_IGNORE_OUTGOING = 23
_SO_RCVBUFFORCE = 33
_ports = itertools.count(20000)


class Wire:
    """Frames on one interface, both ways."""

    def __init__(self, box, name="wire"):
        self.socket = socket_in(box.client, socket.AF_PACKET, socket.SOCK_RAW)
        self.socket.setsockopt(263, _PACKET_IGNORE_OUTGOING, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 8 << 20)
        self.socket.bind((box.client_interface, 3))
        self.name = name
        self.captures = os.environ.get("POSTERN_TEST_CAPTURES")
        self.frames = []

    def send(self, packet):
        self.socket.send(bytes(packet))
        if self.captures:
            self.frames.append(packet)

    def receive(self, seconds):
        """The next frame for our MAC, or None."""
        until = time.monotonic() + seconds
        while True:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                return None
            content = self.socket.recv(65536)
            if content[:6] == bytes.fromhex(OWN_MAC.replace(":", "")):
                packet = Ether(content)
                if self.captures:
                    self.frames.append(packet)
                return packet

    def drain(self):
        while select.select([self.socket], [], [], 0)[0]:
            self.socket.recv(65536)

    def close(self):
        self.socket.close()
        if self.captures and self.frames:
            where = pathlib.Path(self.captures)
            where.mkdir(parents=True, exist_ok=True)
            wrpcap(str(where / (self.name + ".pcap")), self.frames)


class Peer:
    """One side of a connection. `seq` is the next number we send, `ack` the next we expect."""

    def __init__(self, wire, family=4, isn=1000, window=65535, options=None, address=None):
        self.wire = wire
        self.family = family
        self.port = next(_ports)
        self.isn = isn
        self.seq = isn
        self.ack = 0
        self.window = window
        self.options = [("MSS", 1460)] if options is None else options
        self.timestamp = None  # set: sent with every segment
        self.echo = 0
        self.address = address or (OWN if family == 4 else OWN6)
        self.received = b""
        self.syn_ack = None

    def ip(self, **changes):
        if self.family == 4:
            return IP(**dict({"src": self.address, "dst": appliance.ADDRESS}, **changes))
        return IPv6(**dict({"src": self.address, "dst": bed.ADDRESS6}, **changes))

    @staticmethod
    def ether(**changes):
        return Ether(**dict({"src": OWN_MAC, "dst": PORT_MAC}, **changes))

    def tcp(self, flags="A", seq=None, ack=None, **changes):
        fields = {"sport": self.port, "dport": 25, "flags": flags, "window": self.window,
                  "seq": (self.seq if seq is None else seq) & 0xffffffff,
                  "ack": (self.ack if ack is None else ack) & 0xffffffff if "A" in flags else 0}
        if self.timestamp is not None and "options" not in changes:
            fields["options"] = [("NOP", None), ("NOP", None),
                                 ("Timestamp", (self.timestamp, self.echo))]
        fields.update(changes)
        return TCP(**fields)

    def segment(self, flags="A", payload=b"", ip=None, ether=None, **changes):
        packet = self.ether(**(ether or {})) / self.ip(**(ip or {})) / self.tcp(flags, **changes)
        return packet / Raw(payload) if payload else packet

    def send(self, flags="A", payload=b"", **changes):
        """One segment; moves nothing."""
        self.wire.send(self.segment(flags, payload, **changes))

    def replies(self, seconds=QUIET, most=1000):
        """TCP segments to us until the line has been quiet for so long."""
        found = []
        while len(found) < most:
            packet = self.wire.receive(seconds)
            if packet is None:
                break
            if TCP in packet and packet[TCP].dport == self.port:
                found.append(packet)
        return found

    def reply(self, seconds=1.0):
        """The next segment to us, or None."""
        found = self.replies(seconds, 1)
        return found[0] if found else None

    @staticmethod
    def payload(packet):
        """Without what Ethernet pads."""
        tcp = packet[TCP]
        if IP in packet:
            length = packet[IP].len - packet[IP].ihl * 4 - tcp.dataofs * 4
        else:
            length = packet[IPv6].plen - tcp.dataofs * 4
        return bytes(tcp.payload)[:length]

    def start(self, **changes):
        """SYN, SYN-ACK, ACK."""
        options = list(self.options)
        if self.timestamp is not None:
            options.append(("Timestamp", (self.timestamp, 0)))
        self.send("S", seq=self.isn, options=options, **changes)
        self.syn_ack = self.reply()
        assert self.syn_ack is not None and self.syn_ack[TCP].flags == "SA", self.syn_ack
        for name, value in self.syn_ack[TCP].options:
            if name == "Timestamp":
                self.echo = value[0]
        self.seq = (self.isn + 1) & 0xffffffff
        self.ack = (self.syn_ack[TCP].seq + 1) & 0xffffffff
        self.send("A")
        return self

    def absorb(self, seconds=1.0):
        """Takes in-order data and acknowledges it until a whole reply line is there."""
        until = time.monotonic() + seconds
        while b"\r\n" not in self.received and time.monotonic() < until:
            packet = self.reply(0.1)
            if packet is not None and packet[TCP].seq == self.ack:
                content = self.payload(packet)
                self.received += content
                self.ack = (self.ack + len(content) + ("F" in packet[TCP].flags)) & 0xffffffff
                if content:
                    self.send("A")
        content, self.received = self.received, b""
        return content

    def open(self, **changes):
        """The greeting taken, too."""
        self.start(**changes)
        greeting = self.absorb()
        assert greeting.startswith(b"220 "), greeting
        return self

    def push(self, payload, **changes):
        """Data in order."""
        self.send("PA", payload, **changes)
        self.seq = (self.seq + len(payload)) & 0xffffffff

    def say(self, line, **changes):
        """A command and its reply."""
        self.push(line + b"\r\n", **changes)
        return self.absorb()

    def data(self):
        """Into DATA: what is sent from here on is the message."""
        for line, code in ((b"EHLO peer.example.net", b"250"), (b"MAIL FROM:<p@example.net>", b"250"),
                           (b"RCPT TO:<alice@example.org>", b"250"), (b"DATA", b"354")):
            said = self.say(line)
            assert said.startswith(code), said
        return self

    def finish(self, seconds=5.0):
        """End of data (what was sent before ends with CRLF); the reply."""
        self.push(b".\r\n")
        return self.absorb(seconds)

    def reset(self):
        self.send("R", seq=self.seq)


class PeerTest(unittest.TestCase):
    """One appliance on a TAP port for all tests of a class, one Wire for each test."""

    changes = {}

    @classmethod
    def setUpClass(cls):
        cls.customer = Customer()
        cls.addClassCleanup(cls.customer.stop)
        cls.box = bed.Bed([appliance.customer("example", ["example.org"], cls.customer.port)],
                          cls.changes, kernel6=False)
        cls.addClassCleanup(cls.box.stop)
        cls.box.start()
        # Each of three addresses is announced three times; after that we only send to answer.
        appliance.wait_for(lambda: cls.box.counters()["tx_packets"] >= 9, 20, "announced")

    def setUp(self):
        self.wire = Wire(self.box, self.id())
        self.addCleanup(self.wire.close)
        self.peers = []

    def tearDown(self):
        for peer in self.peers:
            peer.reset()
        bed.check_books(self.box)

    def peer(self, **options):
        peer = Peer(self.wire, **options)
        self.peers.append(peer)
        return peer

    @contextlib.contextmanager
    def counts(self, **expected):
        """What happens inside moves these counters by so much."""
        before = self.box.counters()
        yield
        moved = {}

        def as_expected():
            after = self.box.counters()
            moved.update({name: after[name] - before[name] for name in after})
            return all(moved[name] == count for name, count in expected.items())
        try:
            appliance.wait_for(as_expected, 2, "as expected")
        except AssertionError:
            interesting = {name: count for name, count in moved.items()
                           if count and (name in expected or name.startswith(
                               ("tcp_", "frame_", "closed_", "half_", "syn_", "conn")))}
            self.fail("counters moved by %s, expected %s" % (interesting, expected))

    def silence(self, peer, seconds=QUIET):
        self.assertEqual([packet.summary() for packet in self.fresh(peer, seconds)], [])

    @staticmethod
    def fresh(peer, seconds=QUIET, most=1000):
        """Replies, but for the SYN-ACK we had: its timer repeats it while a busy machine lets us wait."""
        found = []
        while len(found) < most:
            packet = peer.reply(seconds)
            if packet is None:
                break
            if peer.syn_ack is None or bytes(packet[TCP]) != bytes(peer.syn_ack[TCP]):
                found.append(packet)
        return found

    def one_reply(self, peer, flags, seq=None, ack=None):
        """Exactly one answer, with these flags and numbers."""
        replies = peer.replies if flags == "SA" else functools.partial(self.fresh, peer)
        found = replies(1.0, 1)  # the machine may be busy: silence is judged after the first
        found += replies() if found else []
        self.assertEqual([str(packet[TCP].flags) for packet in found], [flags])
        if flags == "SA":
            peer.syn_ack = found[0]
        if seq is not None:
            self.assertEqual(found[0][TCP].seq, seq & 0xffffffff)
        if ack is not None:
            self.assertEqual(found[0][TCP].ack, ack & 0xffffffff)
        return found[0]

    def alive(self, peer):
        """The connection still answers, where it was."""
        self.assertTrue(peer.say(b"NOOP").startswith(b"250 "))

    def arrived(self, content, reply):
        """That message was taken, just so, and was the last."""
        self.assertTrue(reply.startswith(b"250 "), reply)
        self.assertEqual(self.customer.taken[-1].message, content)


__all__ = ["Dot1Q", "Ether", "ICMP", "IP", "IPv6", "OWN", "OWN6", "OWN_MAC", "PORT_MAC", "Peer",
           "PeerTest", "QUIET", "Raw", "TCP", "Wire"]
