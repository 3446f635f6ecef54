"""Whatever a sender does, it gets a clear answer, harms nobody else and leaves nothing behind."""

import random
import time
import unittest

import appliance
import mails
from customers import Customer

LIMITS = {"message_size": "1M", "recipients": 10, "bad_commands": 8, "received_fields": 10,
          "command_timeout": "4s", "data_timeout": "4s"}
GOOD = mails.plain("good", b"a good mail\n")


class BadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.customer = Customer()
        cls.addClassCleanup(cls.customer.stop)
        cls.appliance = appliance.Appliance([
            appliance.customer("example", ["example.org"], cls.customer.port,
                               recipients=["alice", "bob@example.org"]),
            appliance.customer("second", ["second.example"], cls.customer.port),
        ], {"limits": LIMITS})
        cls.addClassCleanup(cls.appliance.stop)
        cls.appliance.start()

    def setUp(self):
        self.before = len(self.customer.taken)

    def tearDown(self):
        """After each of them, the next sender notices nothing and no memory is missing."""
        before = len(self.customer.taken)
        code, text = self.appliance.send(GOOD)
        self.assertEqual(code, 250, text)
        self.assertEqual(len(self.customer.taken), before + 1)
        self.appliance.wait_idle()

    def session(self, sender="a@example.net"):
        session = self.appliance.connect()
        self.addCleanup(session.close)
        session.ehlo()
        if sender is not None:
            self.assertEqual(session.say("MAIL FROM:<%s>" % sender)[0], 250)
        return session

    def says(self, session, command, code, beginning):
        said = session.say(command)
        self.assertEqual((said[0], said[1][:len(beginning)]), (code, beginning), said)

    def nothing_delivered(self):
        self.assertEqual(len(self.customer.taken), self.before)

    # Recipients.

    def test_unknown_domain(self):
        session = self.session()
        self.says(session, "RCPT TO:<a@unknown.example>", 554,
                  "5.7.1 <a@unknown.example>: Relay access denied")
        self.says(session, "RCPT TO:<alice@example.org.unknown.example>", 554, "5.7.1 ")
        self.says(session, "RCPT TO:<alice%unknown.example@example.org>", 550, "5.1.1 ")
        said = session.say("DATA")
        self.assertIn(said[0], (503, 554), said)
        self.nothing_delivered()

    def test_rejects_are_logged(self):
        session = self.session()
        session.say("RCPT TO:<nobody@unknown.example>")
        appliance.wait_for(lambda: "NOQUEUE: reject: RCPT from" in self.appliance.log() and
                           "nobody@unknown.example" in self.appliance.log(), 5, "a NOQUEUE line")

    def test_unknown_user(self):
        session = self.session()
        self.says(session, "RCPT TO:<mallory@example.org>", 550, "5.1.1 ")
        for known in ("alice@example.org", "ALICE@EXAMPLE.ORG", "bob@example.org",
                      "postmaster@example.org"):
            self.says(session, "RCPT TO:<%s>" % known, 250, "2.1.5 ")

    def test_second_customer(self):
        session = self.session()
        self.says(session, "RCPT TO:<alice@example.org>", 250, "2.1.5 ")
        self.says(session, "RCPT TO:<a@second.example>", 452, "4.5.3 ")
        self.says(session, "DATA", 354, "")
        session.raw(session.stuffed(GOOD))
        self.assertEqual(session.reply()[0], 250)
        self.assertEqual(self.customer.taken[self.before].recipients, ["alice@example.org"])

    def test_too_many_recipients(self):
        session = self.session()
        for number in range(10):
            self.says(session, "RCPT TO:<user%d@second.example>" % number, 250, "2.1.5 ")
        for number in range(10, 13):
            self.says(session, "RCPT TO:<user%d@second.example>" % number, 452, "4.5.3 ")
        self.says(session, "DATA", 354, "")
        session.raw(session.stuffed(GOOD))
        self.assertEqual(session.reply()[0], 250)
        self.assertEqual(len(self.customer.taken[self.before].recipients), 10)

    # Commands.

    def test_syntax(self):
        for command, codes in (
                ("MAIL", (501,)), ("MAIL FROM", (501,)), ("MAIL FROM:", (501,)),
                ("MAIL FROM:<a@b", (501,)), ("MAIL FROM:<a b@c>", (501,)),
                ("MAIL FROM:<a@b> NONSENSE=1", (501, 555)), ("MAIL FROM:<a@b> SIZE=x", (501,)),
                ("MAIL FROM:<a@b> BODY=BINARYMIME", (501, 555)),
                ("MAIL FROM:<%s@b>" % ("a" * 300), (501, 553, 550)),
                ("RCPT TO:<alice@example.org>", (503,)), ("DATA", (503,)), ("EHLO", (501,)),
                ("\xff\xfe\x00", (500, 501)), ("", (500, 502))):
            with self.subTest(command=command[:40]):
                session = self.session(sender=None)
                said = session.say(command)
                self.assertIn(said[0], codes, said)
                if command != "EHLO":  # has no enhanced code (RFC 2034)
                    self.assertRegex(said[1], r"^5\.[0-9]\.[0-9]+ ")

    def test_out_of_order(self):
        session = self.appliance.connect()
        self.addCleanup(session.close)
        self.assertEqual(session.say("MAIL FROM:<a@example.net>")[0], 503)
        session.ehlo()
        self.assertEqual(session.say("MAIL FROM:<a@example.net>")[0], 250)
        self.assertEqual(session.say("MAIL FROM:<b@example.net>")[0], 503)
        self.assertEqual(session.say("RCPT TO:<alice@example.org>")[0], 250)
        self.assertEqual(session.say("RSET")[0], 250)
        self.assertEqual(session.say("RCPT TO:<alice@example.org>")[0], 503)

    def test_over_long_line(self):
        session = self.session(sender=None)
        self.says(session, "MAIL FROM:<" + "a" * 5000 + "@example.net>", 500, "5.5.2 ")
        self.says(session, "NOOP", 250, "2.0.0 ")

    def test_line_without_end(self):
        session = self.session(sender=None)
        try:
            session.raw(b"x" * (4 << 20))
        except OSError:
            pass
        said = None
        try:
            said = session.reply()
        except (EOFError, OSError):
            pass
        if said is not None:
            self.assertIn(said[0], (500, 421), said)

    def test_too_many_bad_commands(self):
        session = self.session(sender=None)
        codes = []
        try:
            for _ in range(50):
                codes.append(session.say("XYZZY")[0])
        except (EOFError, OSError):
            pass
        self.assertEqual(codes[-1], 421)
        self.assertLessEqual(len(codes), 10)
        self.assertIn(set(codes[:-1]), ({500}, {502}))

    def test_binary_junk(self):
        for seed in range(5):
            session = self.appliance.connect(greet=seed % 2 == 0, timeout=10)
            self.addCleanup(session.close)
            try:
                session.raw(random.Random(seed).randbytes(200000))
                session.finish_sending()
            except OSError:
                continue
            self.assertTrue(session.closed(), "still open after 200 kB of junk")

    def test_http(self):
        session = self.appliance.connect(greet=False)
        self.addCleanup(session.close)
        session.raw(b"GET / HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n")
        self.assertTrue(session.closed())

    def test_tls(self):
        session = self.appliance.connect(greet=False)
        self.addCleanup(session.close)
        session.raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        self.assertTrue(session.closed())

    # Size.

    def test_size_announced(self):
        session = self.session(sender=None)
        self.says(session, "MAIL FROM:<a@example.net> SIZE=1048577", 552, "5.3.4 ")
        self.says(session, "MAIL FROM:<a@example.net> SIZE=99999999999999999999", 552, "5.3.4 ")
        self.says(session, "MAIL FROM:<a@example.net> SIZE=1000000", 250, "2.1.0 ")

    def test_size_real(self):
        session = self.session()
        self.says(session, "RCPT TO:<alice@example.org>", 250, "2.1.5 ")
        self.says(session, "DATA", 354, "")
        session.raw(session.stuffed(mails.plain("large", b"0123456789abcde\n" * 100000)))
        said = session.reply()
        self.assertEqual((said[0], said[1][:6]), (552, "5.3.4 "), said)
        self.nothing_delivered()
        self.assertEqual(session.send(GOOD)[0], 250)

    # What ends a line, and what ends a message.

    def data_refused(self, content, code, beginning):
        session = self.session()
        self.says(session, "RCPT TO:<alice@example.org>", 250, "2.1.5 ")
        self.says(session, "DATA", 354, "")
        session.raw(content)
        said = session.reply()
        self.assertEqual((said[0], said[1][:len(beginning)]), (code, beginning), said)
        self.assertEqual(session.say("NOOP")[0], 250)
        self.assertEqual(session.say("QUIT")[0], 221)
        self.nothing_delivered()

    def test_bare_lf(self):
        self.data_refused(b"Subject: x\r\n\r\nbare\nline\r\n.\r\n", 550, "5.5.2 ")

    def test_bare_cr(self):
        self.data_refused(b"Subject: x\r\n\r\nbare\rline\r\n.\r\n", 550, "5.5.2 ")

    def test_nul(self):
        self.data_refused(b"Subject: x\r\n\r\na\0b\r\n.\r\n", 550, "5.5.2 ")
        self.data_refused(b"Subject: x\r\n\r\na\r\n\0.\r\nNOOP\r\n.\r\n", 550, "5.5.2 ")

    def test_smuggling(self):
        """None of these ends a message here, so none may end one behind us either."""
        inner = (b"MAIL FROM:<evil@example.net>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n"
                 b"Subject: smuggled\r\n\r\nsmuggled\r\n.\r\n")
        for end in (b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r",
                    b"\n.\r", b"\r\n\0.\r\n\n", b"\r\r\n.\r\r\n", b"\r\n.\r\r\n"):
            with self.subTest(end=end):
                session = self.session()
                self.says(session, "RCPT TO:<alice@example.org>", 250, "2.1.5 ")
                self.says(session, "DATA", 354, "")
                session.raw(b"Subject: outer\r\n\r\nouter" + end + inner)
                said = session.reply()
                self.assertEqual((said[0], said[1][:6]), (550, "5.5.2 "), said)
                self.assertEqual(session.say("QUIT")[0], 221)
                self.nothing_delivered()

    def test_bare_lf_in_commands(self):
        session = self.session(sender=None)
        session.raw(b"MAIL FROM:<a@example.net>\nRCPT TO:<alice@example.org>\nNOOP\r\n")
        for _ in range(3):  # each LF is answered, none ends a command
            self.assertEqual(session.reply()[0], 500)
        self.assertEqual(session.say("NOOP")[0], 250)
        session.raw(b"NOOP\n")  # and at once, though its line goes on
        self.assertEqual(session.reply()[0], 500)

    def test_loop(self):
        fields = b"Received: from a by b; Sat, 21 Nov 2026 12:00:00 +0000\r\n"
        self.data_refused(fields * 11 + GOOD + b".\r\n", 554, "5.4.6 ")
        self.assertEqual(self.appliance.send(fields * 9 + GOOD)[0], 250)

    # Connections that end.

    DIALOGUE = [
        b"EHLO sender.example.net\r\n", b"MAIL FROM:<a@example.net>\r\n",
        b"RCPT TO:<alice@example.org>\r\n", b"DATA\r\n", b"Subject: cut\r\n", b"\r\n",
        b"body " * 20000, b"\r\n", b".", b"\r\n",
    ]

    def test_cut_at_every_step(self):
        for cut in range(len(self.DIALOGUE) + 1):
            for how in ("close", "reset", "half"):
                session = self.appliance.connect(greet=cut > 0)
                content = b"".join(self.DIALOGUE[:cut])
                if how == "half" and cut < len(self.DIALOGUE):
                    content += self.DIALOGUE[cut][:len(self.DIALOGUE[cut]) // 2]
                session.raw(content)
                if cut % 2:
                    time.sleep(0.01)  # let it arrive by itself; else it comes with the end
                if how == "reset":
                    session.reset()
                else:
                    session.close()
        counters = self.appliance.wait_idle()
        self.assertGreater(counters["message_cut_off"], 0)

    def test_silent_sender_is_told_and_dropped(self):
        idle = self.session()
        busy = self.session()
        self.says(busy, "RCPT TO:<alice@example.org>", 250, "2.1.5 ")
        self.says(busy, "DATA", 354, "")
        busy.raw(b"Subject: never ending\r\n")
        for session in (idle, busy):
            said = session.reply()
            self.assertEqual((said[0], said[1][:4]), (421, "4.4."), said)
            self.assertTrue(session.closed())
        self.nothing_delivered()

    def test_half_closed_sender_still_gets_its_answer(self):
        """Everything pipelined, then FIN: legal, if rude. The replies come all the same."""
        session = self.session()
        session.raw(b"RCPT TO:<alice@example.org>\r\nDATA\r\n" + session.stuffed(GOOD) +
                    b"QUIT\r\n")
        session.finish_sending()
        self.assertEqual([session.reply()[0] for _ in range(4)], [250, 354, 250, 221])
        self.assertEqual(len(self.customer.taken), self.before + 1)


class Limits(unittest.TestCase):
    def test_connections_of_one_client(self):
        customer = Customer()
        self.addCleanup(customer.stop)
        with appliance.Appliance(
                [appliance.customer("example", ["example.org"], customer.port)],
                {"limits": {"connections_per_client": 5}}) as box:
            sessions = [box.connect() for _ in range(5)]
            self.addCleanup(lambda: [session.close() for session in sessions])
            with self.assertRaises((EOFError, ConnectionError)):
                box.connect()
            for session in sessions:
                session.ehlo()
                self.assertEqual(session.say("QUIT")[0], 221)
                session.close()
            time.sleep(0.2)
            self.assertEqual(box.send(GOOD)[0], 250)
