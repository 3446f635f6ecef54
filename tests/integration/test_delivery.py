"""Clean mail arrives, byte for byte, with exactly our three fields in front."""

import random
import re
import unittest

import appliance
import mails
from customers import Customer

CLEAN = r"^postern [0-9][^ ]* \(ClamAV .*\) at mx1\.example\.org$"


class Delivery(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.customer = Customer()
        cls.addClassCleanup(cls.customer.stop)
        cls.appliance = appliance.Appliance(
            [appliance.customer("example", ["example.org"], cls.customer.port)])
        cls.addClassCleanup(cls.appliance.stop)
        cls.appliance.start()

    def deliver(self, message, recipients=("alice@example.org",), sender="sender@example.net"):
        """Sends one message and checks that exactly it arrived."""
        before = len(self.customer.taken)
        code, text = self.appliance.send(message, sender, recipients)
        self.assertEqual(code, 250, text)
        self.assertEqual(len(self.customer.taken), before + 1)
        taken = self.customer.taken[before]
        self.assertEqual(len(taken.message), len(message))
        self.assertTrue(taken.message == message, "the body was changed")
        self.assertEqual(taken.recipients, list(recipients))
        self.check_fields(taken, recipients, sender)
        return taken

    def check_fields(self, taken, recipients, sender):
        self.assertEqual([name for name, _ in taken.fields],
                         ["received", "x-virus-scanned", "x-virus-status"])
        received, scanned, status = (value for _, value in taken.fields)
        self.assertRegex(received, r"^from sender\.example\.net \(.*\[198\.18\.0\.1\]\) "
                                   r"by mx1\.example\.org ")
        self.assertRegex(received, r" id [0-9A-F]+\b")
        self.assertRegex(received, r"; [A-Z][a-z]{2}, [ 0-9]?[0-9] [A-Z][a-z]{2} 20[0-9]{2} "
                                   r"[0-9:]{8} [+-][0-9]{4}")
        self.assertEqual(" for <" in received, len(recipients) == 1)
        self.assertRegex(scanned, CLEAN)
        self.assertEqual(status, "Clean")
        self.assertIn("FROM:<%s>" % sender, taken.sender)
        for _, value in taken.fields:
            self.assertNotIn("\r", value)

    def test_text(self):
        self.deliver(mails.plain("text", b"One line.\nAnother.\n"))

    def test_html_with_attachments(self):
        self.deliver(mails.multipart("html", [
            ("text/html; charset=us-ascii", "7bit", None, b"<p>Hello</p>\n"),
            ("image/png", "base64", "a.png", mails.png()),
            ("application/pdf", "base64", "a.pdf", mails.pdf())]))

    def test_8bit_and_every_byte_that_is_allowed(self):
        every = bytes(byte for byte in range(256) if byte not in (0x00, 0x0d, 0x0a))
        self.deliver(mails.head("8bit", encoding="8bit") + (every + b"\r\n") * 50)

    def test_dots(self):
        self.deliver(mails.head("dots") + b"\r\n".join(
            [b".", b"..", b"...", b".leading", b"in.side", b"end.", b". ", b" .", b"", b"."]) +
            b"\r\n")

    def test_first_line_is_a_dot(self):
        self.deliver(b".first: a field that begins with a dot\r\n\r\nbody\r\n")

    def test_empty_body(self):
        self.deliver(mails.head("empty body"))

    def test_empty_message(self):
        self.deliver(b"")

    def test_no_header(self):
        self.deliver(b"\r\njust a body\r\n")

    def test_long_line(self):
        self.deliver(mails.head("long line") + b"x" * 300000 + b"\r\n")

    def test_null_sender(self):
        self.deliver(mails.plain("bounce", b"returned\n"), sender="")

    def test_first_line_begins_with_blank(self):
        """It must not become a part of our X-Virus-Status."""
        session = self.appliance.connect()
        session.ehlo()
        message = b" of nobody's: field\r\nSubject: y\r\n\r\nbody\r\n"
        self.assertEqual(session.send(message)[0], 250)
        self.assertEqual(self.customer.taken[-1].message, b"\r\n" + message)
        self.assertEqual(session.say("QUIT")[0], 221)

    def test_sizes_around_a_block(self):
        """A block is 16 KiB; every cut of a message over blocks must be seen to be right."""
        session = self.appliance.connect()
        session.ehlo()
        for size in (16383, 16384, 16385, 32767, 32768, 32769, 65536, 131072):
            message = mails.head("size %d" % size, identity="s%d" % size)
            message += random.Random(size).randbytes(size - len(message) - 2).replace(
                b"\r", b"r").replace(b"\n", b"n").replace(b"\0", b"0").replace(b".", b"\r\n.")[:size - len(message) - 2]
            message += b"\r\n"
            before = len(self.customer.taken)
            self.assertEqual(session.send(message)[0], 250)
            self.assertTrue(self.customer.taken[before].message == message, size)
        self.assertEqual(session.say("QUIT")[0], 221)

    def test_1_megabyte(self):
        self.deliver(mails.attachment("1 MB", "a.bin", random.Random(1).randbytes(750000)))

    def test_20_megabytes(self):
        self.deliver(mails.attachment("20 MB", "a.bin", random.Random(2).randbytes(15000000)))

    def test_many_recipients(self):
        self.deliver(mails.plain("many", b"to all\n"),
                     ["user%d@example.org" % number for number in range(200)])

    def test_several_messages_a_connection(self):
        session = self.appliance.connect()
        session.ehlo()
        for number in range(20):
            message = mails.plain("number %d" % number, b"body %d\n" % number)
            before = len(self.customer.taken)
            code, text = session.send(message)
            self.assertEqual(code, 250, text)
            self.assertEqual(self.customer.taken[before].message, message)
        self.assertEqual(session.say("QUIT")[0], 221)

    def test_pipelined(self):
        """Everything in one write, several transactions in a row, replies strictly in order."""
        session = self.appliance.connect()
        self.assertIn("PIPELINING", session.ehlo())
        messages = [mails.plain("pipelined %d" % number, b"body\n") for number in range(3)]
        before = len(self.customer.taken)
        session.raw(b"".join(
            b"MAIL FROM:<a@example.net>\r\nRCPT TO:<alice@example.org>\r\n"
            b"RCPT TO:<nobody@unknown.example>\r\nDATA\r\n" + session.stuffed(message)
            for message in messages) + b"QUIT\r\n")
        codes = [session.reply()[0] for _ in range(3 * 5 + 1)]
        self.assertEqual(codes, [250, 250, 554, 354, 250] * 3 + [221])
        self.assertEqual([taken.message for taken in self.customer.taken[before:]], messages)

    def test_byte_by_byte(self):
        """The smallest segments there are."""
        session = self.appliance.connect()
        session.ehlo()
        message = mails.plain("slow", b".dot\n..\nend\n")
        before = len(self.customer.taken)
        content = (b"MAIL FROM:<a@example.net>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n" +
                   session.stuffed(message))
        for position in range(len(content)):
            session.raw(content[position:position + 1])
        self.assertEqual([session.reply()[0] for _ in range(4)], [250, 250, 354, 250])
        self.assertEqual(self.customer.taken[before].message, message)

    def test_capabilities(self):
        session = self.appliance.connect()
        capabilities = session.ehlo()
        self.assertEqual(capabilities[0].split(" ")[0], "mx1.example.org")
        for wanted in ("PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES"):
            self.assertIn(wanted, capabilities)
        self.assertIn("SIZE %d" % (50 << 20), capabilities)
        self.assertRegex(" ".join(capabilities), r"LIMITS .*RCPTDOMAINMAX=1")
        for command, code in (("NOOP", 250), ("RSET", 250), ("VRFY alice", 252),
                              ("HELO sender.example.net", 250), ("EXPN all", 502),
                              ("STARTTLS", 502), ("nonsense", 500)):
            with self.subTest(command=command):
                said = session.say(command)[0]
                self.assertIn(said, (500, 502) if code in (500, 502) else (code,))
        self.assertEqual(session.say("QUIT")[0], 221)
        self.assertTrue(session.closed())

    def test_swaks(self):
        before = len(self.customer.taken)
        result = self.appliance.inside("swaks", "--server", appliance.ADDRESS, "--from",
                                       "swaks@example.net", "--to", "alice@example.org",
                                       "--helo", "sender.example.net")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertEqual(len(self.customer.taken), before + 1)
        self.assertTrue(re.search(br"Subject: test", self.customer.taken[before].message))

    def test_connections_to_the_customer_are_used_again(self):
        connections = self.customer.connections
        for number in range(10):
            self.assertEqual(self.appliance.send(mails.plain("reuse", b"%d\n" % number))[0], 250)
        self.assertLessEqual(self.customer.connections - connections, 1)


class TwoDomains(unittest.TestCase):
    def test_each_to_its_own_server(self):
        first, second = Customer(), Customer()
        self.addCleanup(first.stop)
        self.addCleanup(second.stop)
        with appliance.Appliance([
                appliance.customer("one", ["one.example", "eins.example"], first.port),
                appliance.customer("two", ["two.example"], second.port)]) as box:
            for recipient in ("a@one.example", "b@EINS.example", "postmaster@two.example"):
                self.assertEqual(box.send(mails.plain("x", b"x\n"), recipients=[recipient])[0], 250)
        self.assertEqual([taken.recipients[0].lower() for taken in first.taken],
                         ["a@one.example", "b@eins.example"])
        self.assertEqual(len(second.taken), 1)
