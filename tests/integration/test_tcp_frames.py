"""Packets below TCP that no honest peer sends: IP headers, fragments, extension headers, addresses,
ICMP. Each against a live port: what is answered, what is delivered, and what counts it.
"""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "links"))

try:
    from peer import (ICMP, IP, OWN, OWN6, OWN_MAC, PORT_MAC, TCP, Dot1Q, Ether, IPv6, Peer,
                      PeerTest, Raw)
    from scapy.layers.inet import IPerror, TCPerror, fragment
    from scapy.layers.inet6 import (ICMPv6EchoRequest, ICMPv6PacketTooBig, IPv6ExtHdrDestOpt,
                                    IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting,
                                    PadN, fragment6)
except ImportError as error:
    raise unittest.SkipTest("scapy is missing (package python3-scapy): %s" % error) from None

import appliance  # noqa: E402
import bed  # noqa: E402

FAMILIES = (4, 6)


class Headers(PeerTest):
    def served(self, peer, **changes):
        """A SYN with such headers is answered with a SYN-ACK."""
        peer.send("S", seq=peer.isn, options=peer.options, **changes)
        return self.one_reply(peer, "SA", ack=peer.isn + 1)

    def test_ttl(self):
        """A host takes what has arrived, however little was left."""
        for family, name in ((4, "ttl"), (6, "hlim")):
            for ttl in (0, 1, 2, 255):
                with self.subTest(family=family, ttl=ttl):
                    self.served(self.peer(family=family), ip={name: ttl})

    def test_traffic_class_and_flow_label(self):
        for ip in ({"tos": 0xff}, {"id": 0, "flags": "DF"}, {"flags": "evil"}):
            with self.subTest(ip=ip):
                self.served(self.peer(), ip=ip)
        self.served(self.peer(family=6), ip={"tc": 0xff, "fl": 0xfffff})

    def test_ipv4_options(self):
        from scapy.layers.inet import IPOption_NOP, IPOption_RR
        self.served(self.peer(), ip={"options": [IPOption_NOP()] * 4})
        self.served(self.peer(), ip={"options": [IPOption_RR(routers=["0.0.0.0"] * 9)]})

    def test_ipv4_headers_that_do_not_fit(self):
        for ip, counter in (({"version": 5}, "frame_bad_ip"), ({"ihl": 4}, "frame_bad_ip"),
                            ({"ihl": 0}, "frame_bad_ip"), ({"len": 19}, "frame_bad_ip"),
                            ({"len": 1500}, "frame_bad_ip"), ({"len": 0}, "frame_bad_ip"),
                            ({"chksum": 1}, "frame_bad_checksum"),
                            ({"len": 39}, "tcp_in_bad_header"), ({"len": 20}, "tcp_in_bad_header"),
                            ({"proto": 17}, "frame_unknown_protocol"),
                            ({"proto": 255}, "frame_unknown_protocol")):
            with self.subTest(ip=ip), self.counts(**{counter: 1, "syn_kept": 0}):
                peer = self.peer()
                peer.send("S", ip=ip, options=[])
                self.silence(peer)

    def test_ipv6_headers_that_do_not_fit(self):
        for ip, counter in (({"version": 4}, "frame_bad_ip"), ({"plen": 1400}, "frame_bad_ip"),
                            ({"plen": 0}, "tcp_in_bad_header"), ({"plen": 19}, "tcp_in_bad_header"),
                            ({"nh": 59}, "frame_unknown_protocol"),
                            ({"nh": 253}, "frame_unknown_protocol")):
            with self.subTest(ip=ip), self.counts(**{counter: 1, "syn_kept": 0}):
                peer = self.peer(family=6)
                peer.send("S", ip=ip, options=[])
                self.silence(peer)

    def test_short_frames(self):
        peer = self.peer()
        whole = bytes(peer.segment("S", options=[]))
        for length in (14, 15, 33):
            with self.subTest(length=length), self.counts(frame_short=1):
                self.wire.send(Raw(whole[:length]))
        for length in (34, 53):
            with self.subTest(length=length), self.counts(frame_bad_ip=1):
                self.wire.send(Raw(whole[:length]))
        self.silence(peer)

    def test_trailing_bytes(self):
        """What a link adds behind the packet belongs to nobody."""
        for family in FAMILIES:
            with self.subTest(family=family):
                peer = self.peer(family=family).open()
                segment = peer.segment("PA", b"NOOP\r\n")
                self.wire.send(Raw(bytes(segment) + b"QUIT\r\n" * 3))
                peer.seq += 6
                self.assertTrue(peer.absorb().startswith(b"250 "))
                self.alive(peer)

    def test_vlan(self):
        """A tagged frame is answered with the same tag."""
        peer = self.peer()
        segment = peer.segment("S", seq=peer.isn, options=peer.options)
        tagged = Ether(src=OWN_MAC, dst=PORT_MAC) / Dot1Q(vlan=77, prio=5) / segment[IP]
        self.wire.send(tagged)
        # The kernel takes the tag off what a packet socket is given: only that it came is seen.
        self.one_reply(peer, "SA", ack=peer.isn + 1)

    def test_unknown_types(self):
        with self.counts(frame_unknown_type=3):
            for number in (0x88cc, 0x0600, 0x8847):
                self.wire.send(Ether(src=OWN_MAC, dst=PORT_MAC, type=number) / Raw(b"\0" * 50))


class Addresses(PeerTest):
    def test_not_to_us(self):
        """Group and foreign destinations are never answered, whatever MAC they come by."""
        for ip, mac in (("198.18.0.255", PORT_MAC), ("255.255.255.255", PORT_MAC),
                        ("224.0.0.1", PORT_MAC), ("198.18.0.3", PORT_MAC),
                        (appliance.ADDRESS, "ff:ff:ff:ff:ff:ff"),
                        ("198.18.0.255", "ff:ff:ff:ff:ff:ff"),
                        (appliance.ADDRESS, "01:00:5e:00:00:01"),
                        (appliance.ADDRESS, "02:50:c6:12:00:03")):
            with self.subTest(ip=ip, mac=mac), self.counts(frame_not_ours=1, syn_kept=0):
                peer = self.peer()
                peer.send("S", ip={"dst": ip}, ether={"dst": mac})
                self.silence(peer)
        for ip, mac, counter in (("ff02::1", "33:33:00:00:00:01", "frame_not_ours"),
                                 ("ff02::1:ff00:2", "33:33:ff:00:00:02", "frame_not_ours"),
                                 ("2001:db8:1::3", PORT_MAC, "frame_not_ours"),
                                 ("::1", PORT_MAC, "frame_not_ours")):
            with self.subTest(ip=ip), self.counts(**{counter: 1, "syn_kept": 0}):
                peer = self.peer(family=6)
                peer.send("S", ip={"dst": ip}, ether={"dst": mac})
                self.silence(peer)

    def test_sources_nobody_has(self):
        for source in ("0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1"):
            with self.subTest(source=source), self.counts(frame_bad_ip=1, syn_kept=0):
                peer = self.peer(address=source)
                peer.send("S")
                self.silence(peer)
        for source in ("::", "::1", "ff02::1", "::ffff:198.18.0.66"):
            with self.subTest(source=source), self.counts(frame_bad_ip=1, syn_kept=0):
                peer = self.peer(family=6, address=source)
                peer.send("S")
                self.silence(peer)
        with self.counts(frame_bad_ip=1, syn_kept=0):
            peer = self.peer()
            peer.send("S", ether={"src": "ff:ff:ff:ff:ff:ff"})
            self.silence(peer)

    def test_land(self):
        """From our own address to our own address, port 25 to port 25."""
        for family, source in ((4, appliance.ADDRESS), (6, bed.ADDRESS6)):
            for mac in (OWN_MAC, PORT_MAC):
                with self.subTest(family=family, mac=mac), self.counts(
                        frame_bad_ip=1, syn_kept=0, tx_packets=0):
                    peer = self.peer(family=family, address=source)
                    peer.send("S", sport=25, ether={"src": mac})
                    self.silence(peer)

    def test_from_our_mac(self):
        """Answers go out to the wire, and come back to nobody."""
        with self.counts(syn_kept=1, tx_packets=1):
            peer = self.peer()
            peer.send("S", ether={"src": PORT_MAC})
            self.silence(peer)
            peer.send("R", seq=peer.isn + 1)  # or its SYN-ACK is sent again under the next test


class Fragments(PeerTest):
    def test_ipv4_fragments(self):
        """Refused: first, last, tiny, overlapping; none of it is put together."""
        peer = self.peer().open()
        for size in (8, 24, 48):
            whole = peer.ip(id=4711) / peer.tcp("PA") / Raw(b"QUIT\r\n" * 20)
            pieces = fragment(IP(bytes(whole)), fragsize=size)
            self.assertGreater(len(pieces), 2)
            with self.subTest(size=size), self.counts(frame_fragment=len(pieces), smtp_commands=0):
                for piece in pieces + []:
                    self.wire.send(peer.ether() / piece)
                self.silence(peer)
        for ip in ({"flags": "MF"}, {"frag": 1}, {"frag": 8191}, {"flags": "MF", "frag": 185}):
            with self.subTest(ip=ip), self.counts(frame_fragment=1, smtp_commands=0):
                peer.send("PA", b"QUIT\r\n", ip=ip)
                self.silence(peer)
        self.alive(peer)

    def test_ipv6_fragments(self):
        peer = self.peer(family=6).open()
        whole = peer.ip() / IPv6ExtHdrFragment() / peer.tcp("PA") / Raw(b"QUIT\r\n" * 300)
        pieces = fragment6(whole, 1280)
        self.assertGreater(len(pieces), 1)
        with self.counts(frame_fragment=len(pieces), smtp_commands=0):
            for piece in pieces:
                self.wire.send(peer.ether() / piece)
            self.silence(peer)
        self.alive(peer)

    def test_ipv6_atomic_fragment(self):
        """A fragment header on a whole packet is no fragment (RFC 6946)."""
        peer = self.peer(family=6).open()
        self.wire.send(peer.ether() / peer.ip() / IPv6ExtHdrFragment(id=1) /
                       peer.tcp("PA") / Raw(b"NOOP\r\n"))
        peer.seq += 6
        self.assertTrue(peer.absorb().startswith(b"250 "))


class ExtensionHeaders(PeerTest):
    def syn_behind(self, peer, *headers):
        packet = peer.ether() / peer.ip()
        for header in headers:
            packet = packet / header
        peer.wire.send(packet / peer.tcp("S", seq=peer.isn, options=peer.options))

    def test_taken(self):
        pad = [PadN(optdata=b"\0" * 4)]
        for headers in ([IPv6ExtHdrDestOpt(options=pad)], [IPv6ExtHdrHopByHop(options=pad)],
                        [IPv6ExtHdrHopByHop(options=pad), IPv6ExtHdrDestOpt(options=pad)],
                        [IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 200)])],
                        [IPv6ExtHdrRouting(segleft=0, addresses=[OWN6])],
                        [IPv6ExtHdrDestOpt(options=pad)] * 7):
            with self.subTest(headers=[header.name for header in headers]):
                peer = self.peer(family=6)
                self.syn_behind(peer, *headers)
                self.one_reply(peer, "SA", ack=peer.isn + 1)

    def test_refused(self):
        pad = [PadN(optdata=b"\0" * 4)]
        for headers in ([IPv6ExtHdrRouting(segleft=1, addresses=[bed.ADDRESS6])],
                        [IPv6ExtHdrDestOpt(options=pad), IPv6ExtHdrHopByHop(options=pad)],
                        [IPv6ExtHdrDestOpt(options=pad)] * 12,
                        [IPv6ExtHdrDestOpt(len=255, options=pad)]):
            with self.subTest(headers=[header.name for header in headers]), self.counts(
                    frame_bad_ip=1, syn_kept=0):
                peer = self.peer(family=6)
                self.syn_behind(peer, *headers)
                self.silence(peer)


class Errors(PeerTest):
    """ICMP: too big, believed and not; the rest, soft."""

    changes = {"limits": {"bad_commands": 1000}}

    def flying(self, family=4):
        """A connection with several full segments of replies in flight."""
        peer = self.peer(family=family).open()
        for _ in range(2):
            peer.push(b"NOOP\r\n" * 200)
        found = [packet for packet in peer.replies() if Peer.payload(packet)]
        self.assertGreater(len(found), 1)
        self.assertGreater(max(len(Peer.payload(packet)) for packet in found), 1400)
        return peer, found

    def too_big(self, peer, seq, mtu, kind=3, code=4, **quoted):
        if peer.family == 4:
            quote = IPerror(src=appliance.ADDRESS, dst=peer.address, proto=6, ihl=5) / TCPerror(
                sport=25, dport=quoted.get("port", peer.port), seq=seq & 0xffffffff)
            error = ICMP(type=kind, code=code, nexthopmtu=mtu)
        else:
            quote = IPv6(src=bed.ADDRESS6, dst=peer.address, nh=6) / TCPerror(
                sport=25, dport=quoted.get("port", peer.port), seq=seq & 0xffffffff)
            error = ICMPv6PacketTooBig(mtu=mtu)
        self.wire.send(peer.ether() / peer.ip() / error / Raw(bytes(quote)))

    @staticmethod
    def ip_bytes(packet):
        return packet[IP].len if IP in packet else packet[IPv6].plen + 40

    def take_all(self, peer, lines):
        """The replies, acknowledged as they come; the IP lengths of the packets they came in."""
        content, lengths = b"", []
        while content.count(b"\r\n") < lines:
            packet = peer.reply(4)
            self.assertIsNotNone(packet, "%d lines" % content.count(b"\r\n"))
            if packet[TCP].seq == peer.ack and Peer.payload(packet):
                content += Peer.payload(packet)
                lengths.append(self.ip_bytes(packet))
                peer.ack += len(Peer.payload(packet))
                peer.send("A")
        self.assertEqual(content.count(b"250 "), lines)
        return lengths

    def test_too_big_for_real(self):
        """A segment in flight is quoted: it comes again at once, small enough, as all that follow."""
        for family, mtu in ((4, 1400), (4, 600), (6, 1400), (6, 1280)):
            with self.subTest(family=family, mtu=mtu):
                peer, _ = self.flying(family)
                self.too_big(peer, peer.ack, mtu)
                again = [packet for packet in peer.replies() if Peer.payload(packet)]
                self.assertTrue(again)
                self.assertEqual(again[0][TCP].seq, peer.ack)
                self.assertLessEqual(max(self.ip_bytes(packet) for packet in again), mtu)
                lengths = self.take_all(peer, 400)
                self.assertLessEqual(max(lengths), mtu)
                self.alive(peer)

    def test_too_big_spoofed(self):
        """Not in flight, not of this connection: nothing happens. Too small: not beyond reason."""
        for family, least in ((4, 552), (6, 1280)):
            with self.subTest(family=family):
                peer, _ = self.flying(family)
                with self.counts(frame_icmp_other=4):
                    self.too_big(peer, peer.ack - 1, 576)
                    self.too_big(peer, peer.ack + 1000000, 576)
                    self.too_big(peer, peer.ack + 0x80000000, 576)
                    self.too_big(peer, peer.ack, 576, port=peer.port + 1)
                    for packet in peer.replies():  # none, or a retransmission as large as before
                        self.assertGreater(self.ip_bytes(packet), 1400)
                self.too_big(peer, peer.ack, 0)
                again = [packet for packet in peer.replies() if Peer.payload(packet)]
                self.assertEqual(self.ip_bytes(again[0]), least)
                self.take_all(peer, 400)

    def test_other_errors_are_soft(self):
        """Unreachable, prohibited, source quench, time exceeded: the connection lives on."""
        peer, _ = self.flying()
        with self.counts(frame_icmp_other=8, closed_reset=0, closed_aborted=0, closed_timeout=0):
            for kind, code in ((3, 0), (3, 1), (3, 2), (3, 3), (3, 13), (4, 0), (11, 0), (12, 0)):
                self.too_big(peer, peer.ack, 0, kind=kind, code=code)
            for packet in peer.replies():  # none, or what the retransmission timer sends
                self.assertNotRegex(str(packet[TCP].flags), "[RF]")
        self.take_all(peer, 400)
        self.alive(peer)

    def test_wrong_checksums(self):
        with self.counts(frame_bad_checksum=2, tx_packets=0):
            peer = self.peer()
            self.wire.send(peer.ether() / peer.ip() / ICMP(type=8, chksum=1) / Raw(b"x" * 30))
            self.wire.send(peer.ether() / IPv6(src=OWN6, dst=bed.ADDRESS6) /
                           ICMPv6EchoRequest(data=b"x", cksum=1))

    def test_echo(self):
        """Answered to a host, never to a group (nothing to amplify)."""
        peer = self.peer()
        with self.counts(frame_icmp_echo=1, tx_packets=1):
            self.wire.send(peer.ether() / peer.ip() / ICMP(type=8, id=7, seq=9) / Raw(b"x" * 100))
            answer = self.wire.receive(1)
        self.assertEqual((answer[ICMP].type, answer[ICMP].id, bytes(answer[Raw])[:100]),
                         (0, 7, b"x" * 100))
        with self.counts(frame_icmp_echo=0, frame_not_ours=1, frame_icmp_other=1, tx_packets=0):
            self.wire.send(Ether(src=OWN_MAC, dst="ff:ff:ff:ff:ff:ff") /
                           IP(src=OWN, dst="198.18.0.255") / ICMP(type=8))
            self.wire.send(Ether(src=OWN_MAC, dst="33:33:00:00:00:01") /
                           IPv6(src=OWN6, dst="ff02::1") / ICMPv6EchoRequest())
