"""Segments no honest peer sends, against a live port: what is answered, what is delivered, and what
counts it. The packets are made by scapy; see links/peer.py for keeping them.
"""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "links"))

try:
    from peer import TCP, Peer, PeerTest, QUIET
except ImportError as error:
    raise unittest.SkipTest("scapy is missing (package python3-scapy): %s" % error) from None


class Handshakes(PeerTest):
    def test_without_connection(self):
        """RFC 9293 3.10.7.1: RST for whatever opens nothing, silence for RST."""
        for flags, answer, ack in (("A", "R", None), ("SA", "R", None), ("FA", "R", None),
                                   ("F", "RA", 1), ("SF", "RA", 2), ("", "RA", 0),
                                   ("FPU", "RA", 1), ("SFRPAU", None, None), ("R", None, None),
                                   ("SR", None, None), ("PA", "R", None)):
            with self.subTest(flags=flags), self.counts(tcp_in_no_connection=1,
                                                        connections_opened=0, syn_kept=0):
                peer = self.peer()
                peer.send(flags, seq=5000, ack=7000)
                if answer is None:
                    self.silence(peer)
                elif "A" in flags:
                    self.one_reply(peer, answer, seq=7000)
                else:
                    self.one_reply(peer, answer, seq=0, ack=5000 + ack)

    def test_other_ports(self):
        for port in (0, 24, 26, 65535):
            with self.subTest(port=port), self.counts(tcp_in_no_listener=1, syn_kept=0):
                peer = self.peer()
                peer.send("S", seq=1, dport=port)
                self.one_reply(peer, "RA", ack=2)

    def test_plain_variants_are_served(self):
        """Flags that mean nothing on a SYN change nothing (ECN is not agreed on)."""
        for flags in ("S", "SEC", "SU", "SP"):
            with self.subTest(flags=flags), self.counts(syn_kept=1, half_open_completed=1,
                                                        connections_opened=1):
                peer = self.peer()
                peer.send(flags, seq=peer.isn, options=peer.options)
                answer = self.one_reply(peer, "SA", ack=peer.isn + 1)
                peer.seq, peer.ack = peer.isn + 1, answer[TCP].seq + 1
                peer.send("A")
                self.assertTrue(peer.absorb().startswith(b"220 "))

    def test_data_on_syn(self):
        """Not taken, not acknowledged; it comes again after the handshake."""
        with self.counts(connections_opened=1):
            peer = self.peer()
            peer.send("S", b"NOOP\r\n", seq=peer.isn, options=peer.options)
            answer = self.one_reply(peer, "SA", ack=peer.isn + 1)
            peer.seq, peer.ack = peer.isn + 1, answer[TCP].seq + 1
            peer.send("A")
            self.assertTrue(peer.absorb().startswith(b"220 "))
            self.alive(peer)

    def test_split_handshake(self):
        """A peer that answers our SYN-ACK as though it had been asked: with a SYN-ACK of its own, or
        a SYN once more. Neither opens anything; the ACK does."""
        peer = self.peer()
        with self.counts(connections_opened=0, syn_kept=1, tcp_in_duplicate=1,
                         tcp_in_out_of_window=1, tcp_in_bad_header=1):
            peer.send("S", seq=peer.isn, options=peer.options)
            answer = self.one_reply(peer, "SA", ack=peer.isn + 1)
            peer.ack = answer[TCP].seq + 1
            peer.send("S", seq=peer.isn, options=peer.options)
            again = self.one_reply(peer, "SA", ack=peer.isn + 1)
            self.assertEqual(again[TCP].seq, answer[TCP].seq)
            peer.send("SA", seq=peer.isn)
            self.silence(peer)
            peer.send("SA", seq=peer.isn + 1)
            self.silence(peer)
        with self.counts(connections_opened=1, half_open_completed=1):
            peer.seq = peer.isn + 1
            peer.send("A")
            self.assertTrue(peer.absorb().startswith(b"220 "))

    def test_simultaneous_open(self):
        """We never open, so a SYN that crosses another is old, forged, or a new attempt: it changes
        nothing until the peer disowns the first one by RST."""
        peer = self.peer()
        with self.counts(syn_kept=2, half_open_reset=1, tcp_in_challenged=1, connections_opened=0):
            peer.send("S", seq=1000, options=peer.options)
            self.one_reply(peer, "SA", ack=1001)
            peer.send("S", seq=90000, options=peer.options)
            self.one_reply(peer, "SA", ack=1001)
            peer.send("R", seq=1001)
            peer.send("S", seq=90000, options=peer.options)
            answer = self.one_reply(peer, "SA", ack=90001)
        with self.counts(connections_opened=1):
            peer.seq, peer.ack = 90001, answer[TCP].seq + 1
            peer.send("A")
            self.assertTrue(peer.absorb().startswith(b"220 "))

    def test_guesses_at_the_final_ack(self):
        peer = self.peer()
        peer.send("S", seq=peer.isn, options=peer.options)
        answer = self.one_reply(peer, "SA")
        peer.seq = peer.isn + 1
        for guess in (answer[TCP].seq, answer[TCP].seq + 2, 0, answer[TCP].seq + 0x80000000):
            with self.subTest(guess=guess), self.counts(tcp_in_bad_ack=1, connections_opened=0):
                peer.send("A", ack=guess)
                self.one_reply(peer, "R", seq=guess)
        with self.counts(connections_opened=1):
            peer.ack = answer[TCP].seq + 1
            peer.send("A")
            self.assertTrue(peer.absorb().startswith(b"220 "))

    def test_reset_of_a_half_open_connection(self):
        peer = self.peer()
        peer.send("S", seq=peer.isn, options=peer.options)
        self.one_reply(peer, "SA")
        with self.counts(tcp_in_out_of_window=3, half_open_reset=0):
            for guess in (peer.isn, peer.isn + 2, peer.isn + 100000):
                peer.send("R", seq=guess)
            self.silence(peer)
        with self.counts(tcp_in_reset=1, half_open_reset=1):
            peer.send("R", seq=peer.isn + 1)
        with self.counts(tcp_in_no_connection=1):
            peer.send("A", seq=peer.isn + 1, ack=1)
            self.one_reply(peer, "R", seq=1)

    def test_lost_final_ack(self):
        """The server speaks first: without the ACK the SYN-ACK is sent again, not the banner."""
        peer = self.peer()
        peer.send("S", seq=peer.isn, options=peer.options)
        first = self.one_reply(peer, "SA")
        again = peer.reply(2.5)
        self.assertEqual((str(again[TCP].flags), again[TCP].seq), ("SA", first[TCP].seq))
        peer.seq, peer.ack = peer.isn + 1, first[TCP].seq + 1
        peer.send("A")
        self.assertTrue(peer.absorb().startswith(b"220 "))

    def test_options_garbage(self):
        """What was read before a malformed option counts; none of it keeps a peer out."""
        for options in (b"\x02\x00\x05\xb4", b"\x02\x01\x05\xb4", b"\x02\xff\x05\xb4",
                        b"\x02\x02\x00\x00", b"\x02\x03\x05\x00", b"\x03\x03\xff\x00",
                        b"\x08\x0a\x00\x00", b"\x05\x0a" + b"\xff" * 10, b"\xfe\x04\x00\x00" * 10,
                        b"\x01" * 40, b"\x00" * 40, b"\x04\x02\x04\x02" * 10, b"\x22\x0a" * 20):
            with self.subTest(options=options.hex()), self.counts(connections_opened=1):
                peer = self.peer()
                segment = bytearray(bytes(peer.tcp("S", seq=peer.isn, options=[])))
                options = options + b"\0" * (-len(options) % 4)
                segment[12] = (20 + len(options)) // 4 << 4
                segment[16:18] = b"\0\0"
                self.send_tcp(peer, bytes(segment) + options)
                answer = self.one_reply(peer, "SA", ack=peer.isn + 1)
                peer.seq, peer.ack = peer.isn + 1, answer[TCP].seq + 1
                timestamp = dict((name, value) for name, value in answer[TCP].options
                                 if isinstance(name, str)).get("Timestamp")
                if timestamp:
                    peer.timestamp, peer.echo = 1, timestamp[0]
                peer.send("A")
                self.assertTrue(peer.absorb().startswith(b"220 "))
                self.alive(peer)

    def send_tcp(self, peer, segment, **ip):
        """These bytes as a TCP segment; the checksum is filled in."""
        from scapy.layers.inet import in4_chksum
        header = peer.ip(proto=6, **ip)
        checksum = in4_chksum(6, header, segment)
        segment = segment[:16] + checksum.to_bytes(2, "big") + segment[18:]
        peer.wire.send(peer.ether() / header / segment)

    def test_headers_that_do_not_fit(self):
        for offset in (0, 4, 15):
            with self.subTest(offset=offset), self.counts(tcp_in_bad_header=1):
                peer = self.peer()
                segment = bytearray(bytes(peer.tcp("S", options=[])))
                segment[12] = offset << 4
                segment[16:18] = b"\0\0"
                self.send_tcp(peer, bytes(segment))
                self.silence(peer)
        with self.counts(tcp_in_bad_header=1):
            peer = self.peer()
            self.send_tcp(peer, bytes(peer.tcp("S", options=[]))[:19].ljust(19, b"\0"))
            self.silence(peer)


class Segments(PeerTest):
    def test_overlaps_with_different_content(self):
        """The bytes that came first are the message, whichever way a later copy overlaps them."""
        first, other = b"0123456789abcdefghijklmnopqrstuvwxyz\r\n", b"X" * 38
        cases = {
            "same place": [(0, 38)],
            "in front": [(10, 20), (0, 15)],
            "behind": [(10, 20), (15, 30)],
            "around": [(10, 20), (0, 38)],
            "inside": [(5, 30), (10, 20)],
            "over two": [(5, 10), (20, 25), (0, 38)],
        }
        for name, pieces in cases.items():
            with self.subTest(name):
                peer = self.peer().open().data()
                base = peer.seq
                held = [None] * len(first)
                for number, (start, end) in enumerate(pieces):
                    content = first if number == 0 else (
                        other if name != "over two" or number == 2 else first)
                    peer.send("PA", content[start:end], seq=base + start)
                    for place in range(start, end):
                        held[place] = held[place] or content[place:place + 1]
                for place in range(len(first)):
                    held[place] = held[place] or first[place:place + 1]
                peer.send("PA", first, seq=base)
                peer.seq = base + len(first)
                expected = b"".join(held)
                if not expected.endswith(b"\r\n"):
                    peer.push(b"\r\n")
                    expected += b"\r\n"
                peer.replies()
                self.arrived(expected, peer.finish())

    def test_second_copy_never_replaces(self):
        """An acknowledged command cannot be changed, nor can one that waits behind a gap."""
        peer = self.peer().open()
        base = peer.seq
        peer.send("PA", b"OP\r\n", seq=base + 2)
        peer.replies()
        peer.send("PA", b"NOXX\r\n", seq=base)
        peer.seq = base + 6
        self.assertTrue(peer.absorb().startswith(b"250 "))
        peer.send("PA", b"QUIT\r\n", seq=base)
        self.one_reply(peer, "A", ack=base + 6)
        self.alive(peer)

    def test_gaps_then_fill(self):
        """Eight separate pieces beyond a gap are kept, a ninth is dropped and counted; whatever the
        order, the message is whole."""
        content = bytes(range(97, 123)) * 7 + b"\r\n"
        peer = self.peer().open().data()
        base = peer.seq
        with self.counts(tcp_out_of_order=8, tcp_in_no_room=1):
            for number in range(9):
                start = 10 + 20 * number
                peer.send("A", content[start:start + 10], seq=base + start)
                peer.replies(0.02)
        peer.replies()
        for start in reversed(range(0, len(content), 10)):
            peer.send("A", content[start:start + 10], seq=base + start)
        peer.send("A", content, seq=base)
        peer.seq = base + len(content)
        peer.replies()
        self.arrived(content, peer.finish())

    def test_byte_by_byte(self):
        content = bytes(range(97, 123)) * 20 + b"\r\n"
        peer = self.peer().open().data()
        for place in range(len(content)):
            peer.push(content[place:place + 1])
        peer.replies()
        self.arrived(content, peer.finish())

    def test_wrong_checksums(self):
        """Neither answered nor delivered: TCP's, IPv4's, and TCP's over IPv6."""
        for family in (4, 6):
            with self.subTest(family=family):
                peer = self.peer(family=family).open().data()
                content = b"the right content\r\n"
                with self.counts(tcp_in_bad_checksum=3, frame_bad_checksum=family == 4 and 1 or 0):
                    for wrong in (0x1234, 0, 0xffff):
                        peer.send("PA", b"X" * len(content), chksum=wrong)
                    if family == 4:
                        peer.send("PA", b"Y" * len(content), ip={"chksum": 0x4321})
                    self.silence(peer)
                peer.push(content)
                peer.replies()
                self.arrived(content, peer.finish())

    def test_reset(self):
        """RFC 5961: only the exact number ends a connection; others in the window are challenged."""
        peer = self.peer().open()
        with self.counts(tcp_in_challenged=2, closed_reset=0):
            peer.send("R", seq=peer.seq + 1)
            self.one_reply(peer, "A", seq=peer.ack, ack=peer.seq)
            peer.send("R", b"QUIT\r\n", seq=peer.seq + 100)
            self.one_reply(peer, "A", seq=peer.ack, ack=peer.seq)
        with self.counts(tcp_in_out_of_window=3, closed_reset=0):
            for guess in (peer.seq - 1, peer.seq + 100000, peer.seq + 0x80000000):
                peer.send("R", seq=guess)
            self.silence(peer)
        self.alive(peer)
        with self.counts(tcp_in_reset=1, closed_reset=1):
            peer.send("R")
            self.silence(peer)

    def test_reset_with_data(self):
        peer = self.peer().open()
        with self.counts(tcp_in_reset=1, closed_reset=1, smtp_commands=0):
            peer.send("RPA", b"NOOP\r\n")
            self.silence(peer)

    def test_challenges_are_limited(self):
        """Ten a second for each connection (RFC 5961 7)."""
        peer = self.peer().open()
        with self.counts(tcp_in_challenged=50):
            for number in range(50):
                peer.send("R", seq=peer.seq + 1 + number)
            answers = peer.replies()
        self.assertGreaterEqual(len(answers), 1)
        self.assertLessEqual(len(answers), 10)
        self.alive(peer)

    def test_syn_within_a_connection(self):
        peer = self.peer().open()
        with self.counts(tcp_in_challenged=2, syn_kept=0):
            peer.send("S", options=peer.options)
            self.one_reply(peer, "A", ack=peer.seq)
            peer.send("SF", b"QUIT\r\n")
            self.one_reply(peer, "A", ack=peer.seq)
        self.alive(peer)

    def test_segment_without_ack(self):
        peer = self.peer().open()
        with self.counts(tcp_in_bad_header=2):
            peer.send("P", b"QUIT\r\n")
            peer.send("F")
            self.silence(peer)
        self.alive(peer)

    def test_urgent_data(self):
        """Taken in line (RFC 6093), wherever the pointer points."""
        content = b"urgent or not\r\n"
        peer = self.peer().open().data()
        for place, pointer in enumerate((1, 0, 65535, 4)):
            piece = content[place * 4:place * 4 + 4]
            peer.send("UPA", piece, urgptr=pointer)
            peer.seq += len(piece)
        peer.replies()
        self.arrived(content, peer.finish())

    def test_data_outside_the_window(self):
        peer = self.peer().open()
        with self.counts(tcp_in_out_of_window=3, tcp_in_duplicate=1):
            for ahead in (8192 + 16, 300000, 0x7fffffff):
                peer.send("PA", b"QUIT\r\n", seq=peer.seq + ahead)
                self.one_reply(peer, "A", ack=peer.seq)
            peer.send("PA", b"QUIT\r\n", seq=peer.seq - 6)
            self.one_reply(peer, "A", ack=peer.seq)
        self.alive(peer)

    def test_data_over_the_edge_of_the_window(self):
        """What lies inside is taken, what lies beyond is not."""
        peer = self.peer().open()
        base = peer.seq
        for start in range(1, 8002, 1000):
            peer.send("A", b"X" * 1000, seq=base + start)
        peer.replies()
        peer.send("A", b"X", seq=base)
        taken = (peer.replies()[0][TCP].ack - base) & 0xffffffff
        self.assertIn(taken, range(8192, 8192 + 8))  # rounded up to the window's unit

    def test_keep_alive(self):
        """A probe is answered with where we are, with its byte of garbage or without."""
        peer = self.peer().open()
        with self.counts(tcp_in_duplicate=2):
            peer.send("A", seq=peer.seq - 1)
            self.one_reply(peer, "A", seq=peer.ack, ack=peer.seq)
            peer.send("A", b"\0", seq=peer.seq - 1)
            self.one_reply(peer, "A", seq=peer.ack, ack=peer.seq)
        self.alive(peer)

    def test_old_timestamps(self):
        """PAWS (RFC 7323 5): an older timestamp is answered and dropped, none at all just dropped."""
        peer = self.peer()
        peer.timestamp = 1000000
        peer.open()
        with self.counts(tcp_in_out_of_window=2, tcp_in_bad_header=1, smtp_commands=0):
            for old in (999999, 1000000 + 0x80000001):
                peer.timestamp = old
                peer.send("PA", b"QUIT\r\n")
                self.one_reply(peer, "A", ack=peer.seq)
            peer.timestamp = None
            peer.send("PA", b"QUIT\r\n")
            self.silence(peer)
        peer.timestamp = 1000001
        self.alive(peer)

    def test_ack_of_what_was_never_sent(self):
        peer = self.peer().open()
        with self.counts(tcp_in_bad_ack=3, smtp_commands=0):
            for wrong in (peer.ack + 1, peer.ack + 0x7fffffff, peer.ack - 0x40000000):
                peer.send("PA", b"QUIT\r\n", ack=wrong)
                self.one_reply(peer, "A", seq=peer.ack, ack=peer.seq)
        self.alive(peer)

    def test_sack_nonsense(self):
        peer = self.peer(options=[("MSS", 1460), ("SAckOK", b"")]).open()
        far = (peer.ack + 100000) & 0xffffffff
        for blocks in ((far, far + 10), (peer.ack, peer.ack - 1), (0, 0xffffffff),
                       (far, far + 10, far + 20, far + 30, 5, 4, 3, 2)):
            peer.send("A", options=[("SAck", blocks)])
        self.silence(peer)
        self.alive(peer)

    def test_fin_flood(self):
        """A thousand FINs to nobody and a thousand to a connection that had its own."""
        peer = self.peer()
        with self.counts(tcp_in_no_connection=1000, connections_opened=0):
            for number in range(1000):
                peer.send("F", seq=number)
            self.assertEqual(len(peer.replies()), 1000)
        peer = self.peer().open()
        with self.counts(connections_opened=0):
            for _ in range(1000):
                peer.send("FA")
            answers = peer.replies()
        self.assertEqual({packet[TCP].ack for packet in answers}, {peer.seq + 1})
        finished = {packet[TCP].seq for packet in answers if "F" in packet[TCP].flags}
        self.assertEqual(len(finished), 1)  # ours, perhaps more than once: nobody acknowledges it

    def test_fin_before_data_that_came(self):
        """A FIN that contradicts bytes we hold is not believed."""
        peer = self.peer().open()
        base = peer.seq
        peer.send("PA", b"OOP\r\n", seq=base + 1)
        peer.send("FA", seq=base + 2)
        peer.replies()
        peer.send("PA", b"N", seq=base)
        peer.seq = base + 6
        self.assertTrue(peer.absorb().startswith(b"250 "))
        self.alive(peer)

    def test_half_close(self):
        """A sender that has finished still gets its answers."""
        peer = self.peer().open()
        peer.send("FPA", b"NOOP\r\n")
        peer.seq += 7
        content = b""
        for packet in peer.replies():
            content += Peer.payload(packet)
        self.assertTrue(content.startswith(b"250 "), content)


class Windows(PeerTest):
    def test_sequence_wraps(self):
        """The numbers pass 2^32 in the middle of everything: command, message, end."""
        for isn in (0xffffffff, 0xfffffffe, 0xffffffa0, 0xffffff60, 0xffffc000, 0x7fffff80):
            with self.subTest(isn=hex(isn)):
                peer = self.peer(isn=isn).open().data()
                content = (b"0123456789" * 7 + b"\r\n") * 700
                for start in range(0, len(content), 1400):
                    peer.push(content[start:start + 1400])
                    if start % 7000 == 0:
                        peer.replies(0.02)
                peer.replies()
                self.arrived(content, peer.finish())

    def test_window_never_shrinks(self):
        """The right edge we announce, in every state, only moves on."""
        peer = self.peer(options=[("MSS", 1460), ("WScale", 0)]).open()
        edge = 0
        base = peer.seq

        def follow(packets):
            nonlocal edge
            for packet in packets:
                announced = packet[TCP].ack + (packet[TCP].window << 3) - base
                self.assertGreaterEqual(announced, edge - 7)  # rounding up to the scale's unit
                edge = max(edge, announced)
        for line in (b"EHLO peer.example.net", b"MAIL FROM:<p@example.net>",
                     b"RCPT TO:<alice@example.org>", b"DATA"):
            peer.push(line + b"\r\n")
            found = peer.replies()
            follow(found)
            for packet in found:
                peer.ack += len(Peer.payload(packet))
            peer.send("A")
        for _ in range(40):
            peer.push(b"0123456789abc\r\n" * 97)
            follow(peer.replies(0.01))
        peer.push(b".\r\nQUIT\r\n")
        follow(peer.replies(0.5))

    def test_peer_shuts_its_window(self):
        """Nothing is sent beyond it; one-byte probes at growing distance; all of it once it opens."""
        peer = self.peer().open()
        peer.window = 0
        peer.send("A")
        peer.push(b"NOOP\r\n")
        probes = [packet for packet in peer.replies(1.6) if Peer.payload(packet)]
        self.assertEqual([len(Peer.payload(packet)) for packet in probes], [1])
        self.assertEqual(probes[0][TCP].seq, peer.ack)
        peer.window = 65535
        peer.send("A")
        self.assertTrue(peer.absorb(3).startswith(b"250 "))
        self.alive(peer)

    def test_peer_takes_its_window_back(self):
        """A window that shrinks under what is in flight (RFC 9293 3.8.6): nothing breaks, nothing is
        sent beyond the new edge, and what was lost comes again."""
        peer = self.peer(window=4000).open()
        peer.push(b"NOOP\r\n" * 200)
        flying = [packet for packet in peer.replies() if Peer.payload(packet)]
        sent = sum(len(Peer.payload(packet)) for packet in flying)
        self.assertGreater(sent, 1000)
        self.assertLessEqual(sent, 4000)
        peer.window = 500
        peer.send("A")
        for packet in peer.replies(1.5):
            content = Peer.payload(packet)
            self.assertLessEqual(packet[TCP].seq + len(content) - peer.ack, 4000)
        peer.window = 65535
        peer.send("A")
        content = b""
        for _ in range(100):
            packet = peer.reply(3)
            if packet is None:
                break
            if packet[TCP].seq == peer.ack and Peer.payload(packet):
                content += Peer.payload(packet)
                peer.ack += len(Peer.payload(packet))
                peer.send("A")
            if content.count(b"\r\n") == 200:
                break
        self.assertEqual(content.count(b"250 "), 200)
        self.alive(peer)

    def test_tiny_windows_and_segments(self):
        """An MSS offer of nothing and a window of one byte: slow, but it comes."""
        peer = self.peer(options=[("MSS", 1)], window=1)
        peer.start()
        content = b""
        for _ in range(6):
            packet = peer.reply(2.5)
            self.assertIsNotNone(packet)
            if packet[TCP].seq == peer.ack:
                self.assertLessEqual(len(Peer.payload(packet)), 1)
                content += Peer.payload(packet)
                peer.ack += len(Peer.payload(packet))
                peer.send("A")
        self.assertTrue(b"220 mx1".startswith(content[:6]) and content)


assert QUIET > 0.04
