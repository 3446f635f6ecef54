"""A log that nobody reads any more: mail goes on, what dies is replaced, TERM is obeyed, and the loss
is told when somebody reads again. And who looks for addresses: mail keeps its lines, and there is an
end to it."""

import os
import re
import signal
import subprocess
import threading
import time
import unittest

import appliance
import mails
from customers import Customer
from session import Session, socket_in

REJECTS = 30000  # more than the queue holds


class PipedAppliance(appliance.Appliance):
    """Its standard output and error are a pipe, which a thread reads into the log while it may."""

    def launch(self):
        reading, writing = os.pipe()
        self.may_read = threading.Event()
        self.may_read.set()
        self.process = subprocess.Popen(
            [appliance.BUILD / "postern", "run", "-c", self.config_path], stdin=subprocess.DEVNULL,
            stdout=writing, stderr=subprocess.STDOUT, start_new_session=True)
        os.close(writing)
        self.reader = threading.Thread(target=self._read, args=(reading,), daemon=True)
        self.reader.start()

    def _read(self, reading):
        with open(self.log_path, "ab", buffering=0) as log:
            while self.may_read.wait():
                piece = os.read(reading, 4096)
                if not piece:
                    break
                log.write(piece)
        os.close(reading)


class Unread(unittest.TestCase):
    def setUp(self):
        self.customer = Customer()
        self.addCleanup(self.customer.stop)
        self.box = PipedAppliance(
            [appliance.customer("example", ["example.org"], self.customer.port)],
            {"limits": {"bad_commands": 1000, "invalid_recipients_per_hour": 1000000}})
        self.addCleanup(self.box.stop)
        self.box.start()

    def fill(self):
        """Refused commands enough to fill pipe and queue; nobody reads. How many were refused."""
        self.box.may_read.clear()
        refused = 0
        while refused < REJECTS:
            session = self.box.connect()
            session.ehlo()
            session.say("MAIL FROM:<sender@example.net>")
            try:
                for _ in range(100):
                    session.raw(b"".join(b"RCPT TO:<nobody-%d-with-a-long-name-%s@elsewhere.example>\r\n"
                                         % (number, b"x" * 150) for number in range(10)))
                    for _ in range(10):
                        session.reply()
                        refused += 1
            except (EOFError, OSError):
                pass
            session.close()
        return refused

    def test_nobody_reads(self):
        refused = self.fill()
        scanner = self.box.scanner_keepers()[0]
        scanner.signal(signal.SIGKILL)
        began = time.monotonic()
        replies = [self.box.send(mails.plain("unread %d" % number, b"x\n")) for number in range(20)]
        print("20 mails past an unread log: %.2f s" % (time.monotonic() - began))
        self.assertEqual([code for code, _ in replies], [250] * 20)
        appliance.wait_for(lambda: len([child for child in self.box.scanner_keepers()
                                        if child.pid != scanner.pid]) == 2,
                           10, "a scanner in place of the dead one")
        self.assertEqual(self.box.counters()["message_delivered"], 20)
        self.box.may_read.set()
        appliance.wait_for(lambda: "unread 19" in self.box.log() or len(self.box.log_records()) >= 20, 10,
                           "the lines of good mail")
        self.assertEqual(len(self.box.log_records()), 20)
        log = ""
        read = lost = 0

        def all_told():
            nonlocal log, read, lost
            log = self.box.log()
            read = len(re.findall(r"NOQUEUE: reject: RCPT", log))
            lost = sum(int(number) for number in re.findall(
                r"log: nobody read it, and lines were lost: 0, and of refused commands: (\d+)", log))
            return read + lost + self.box.counters()["log_rejects_lost"] == refused
        appliance.wait_for(all_told, 10, "every line read or counted as lost")
        print("%d refused: %d lines of them lost, %d read" % (refused, lost, read))
        self.assertGreater(lost, 0)

    def test_end(self):
        self.fill()
        self.assertEqual(self.box.send(mails.plain("last", b"x\n"))[0], 250)
        began = time.monotonic()
        self.assertEqual(self.box.terminate(), 0)
        took = time.monotonic() - began
        print("ended in %.2f s" % took)
        self.assertLess(took, 10)


MAILS = 172 if os.environ.get("POSTERN_TEST_NIGHT") else 40
OTHER_ADDRESS = "198.18.0.77"
UNKNOWN = b"".join(b"RCPT TO:<guess-%d@elsewhere.example>\r\n" % number for number in range(500))


class Harvest(unittest.TestCase):
    """One address asks for one recipient after another that does not exist."""

    def start(self, limits):
        customer = Customer()
        self.addCleanup(customer.stop)
        self.box = appliance.Appliance([appliance.customer("example", ["example.org"], customer.port)],
                                       {"limits": {"bad_commands": 1000, **limits}})
        self.addCleanup(self.box.stop)
        self.box.start()

    def guess(self, ended, refused):
        """As fast as it goes, until told to stop."""
        while not ended.is_set():
            session = self.box.connect()
            try:
                session.ehlo()
                session.say("MAIL FROM:<>")
                for _ in range(2):
                    session.raw(UNKNOWN)
                    for _ in range(500):
                        session.reply()
                        refused[0] += 1
            except (EOFError, OSError):
                pass
            session.close()

    def test_mail_keeps_its_lines(self):
        self.start({"invalid_recipients_per_hour": 1000000})
        ended = threading.Event()
        refused = [0]
        guesses = threading.Thread(target=self.guess, args=(ended, refused))
        guesses.start()
        try:
            for number in range(MAILS):
                recipients = ["%s-%d@example.org" % (name, number) for name in ("a", "b", "c")]
                self.assertEqual(self.box.send(mails.plain("kept", b"x\n"), recipients=recipients)[0], 250)
        finally:
            ended.set()
            guesses.join()
        appliance.wait_for(lambda: len(self.box.log_records()) >= MAILS, 10, "the lines of good mail")
        counters = self.box.counters()
        print("%d mails beside %d refusals: lines lost %d, of refusals %d"
              % (MAILS, refused[0], counters["log_lost"], counters["log_rejects_lost"]))
        self.assertEqual(len(self.box.log_records()), MAILS)
        self.assertEqual(counters["log_lost"], 0)
        self.assertGreater(refused[0], 1000)
        log = self.box.log()
        for number in range(MAILS):
            for name in ("a", "b", "c"):
                self.assertEqual(log.count("to=<%s-%d@example.org>, " % (name, number)), 1)

    def other(self):
        """A session from another address of the neighbourhood."""
        appliance.ip("-n", self.box.namespace, "address", "replace", OTHER_ADDRESS + "/24", "dev",
                     self.box.interface)
        session = Session(socket_in(self.box.namespace), 20)
        session.socket.bind((OTHER_ADDRESS, 0))
        session.connect((appliance.ADDRESS, 25))
        self.assertEqual(session.reply()[0], 220)
        return session

    def test_there_is_an_end_to_it(self):
        self.start({"invalid_recipients_per_hour": 50})
        replies = []
        for _ in range(3):
            session = self.box.connect()
            session.ehlo()
            session.say("MAIL FROM:<>")
            session.raw(UNKNOWN[:len(UNKNOWN) // 10])
            try:
                while True:
                    replies.append(session.reply())
            except (EOFError, OSError):
                pass
            session.close()
        codes = [code for code, _ in replies]
        self.assertEqual(codes[:50], [554] * 50)
        self.assertEqual(codes[50:], [421] * (len(codes) - 50))
        code, text = self.box.send(mails.plain("from the same address", b"x\n"))
        self.assertEqual((code, text.split(" ", 2)[0]), (421, "4.7.0"))
        session = self.other()
        session.ehlo()
        self.assertEqual(session.send(mails.plain("from another", b"x\n"))[0], 250)
        session.close()
        self.assertEqual(self.box.counters()["smtp_harvests_closed"], 4)
        self.assertEqual(self.box.counters()["smtp_invalid_recipients"], 50)


if __name__ == "__main__":
    unittest.main()
