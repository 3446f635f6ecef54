"""A "no" is a "no" with a real server behind: Postfix or Exim, whose processes are stopped and
killed, and control, which is killed, while senders send and leave.

Held against each other: what each sender heard, and how often the mail stands in the Maildir when
the server has nothing queued any more. 2xx: once. Anything else: not at all, but where the end of
data was out and its answer did not come. That window is SMTP's own (RFC 5321, 6.1); what fell into
it is counted and printed. With POSTERN_TEST_NIGHT=1 for 600 mails.
"""

import collections
import itertools
import pathlib
import random
import re
import signal
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "links"))

import appliance  # noqa: E402
import bed  # noqa: E402
import exim  # noqa: E402
import mails  # noqa: E402
import postfix  # noqa: E402

MAILS = 600 if bed.NIGHT else 60
SENDERS = 12
VERDICT_SECONDS = 3
SEED = 20261130
# What a sender hears when the end of data may be out; "relay ended" is the worker's word for a
# control that died, "no answer in time" for one that says nothing.
WINDOW = re.compile("timed out waiting for the answer to the end of data|relay ended|"
                    "connection closed by the server|Connection reset|no answer in time")


class Promise:
    def serve(self, server):
        if bed.NIGHT:
            signal.alarm(1200)
        self.server = server
        self.addCleanup(self.server.stop)
        self.server.start()
        self.box = appliance.Appliance(
            [appliance.customer("example", ["example.org"], self.server.port,
                                route={"command_timeout": "2s"})],
            {"limits": {"verdict_timeout": "%ds" % VERDICT_SECONDS},
             "scanner": {"time_limit": "2s"}})
        self.addCleanup(self.box.stop)
        self.box.start()
        self.random = random.Random(SEED)
        self.said = {}  # number: what was heard; None: nothing
        self.left = set()
        self.numbers = itertools.count()
        self.done = threading.Event()
        self.all_tried = threading.Event()
        self.counts = collections.Counter()

    def send(self, number, leaves):
        session = self.box.connect(timeout=30)
        try:
            session.ehlo()
            session.say("MAIL FROM:<sender@example.net>")
            session.say("RCPT TO:<alice@example.org>")
            code, text = session.say("DATA")
            if code != 354:
                return "%d %s" % (code, text)
            session.raw(session.stuffed(mails.plain("number %d" % number, b"x\n" * 2000)))
            if leaves is not None:
                time.sleep(leaves)
                self.left.add(number)
                session.reset()
                return None
            return "%d %s" % session.reply()
        finally:
            session.close()

    def work(self, _):
        for number in self.numbers:
            if number >= MAILS and self.all_tried.is_set():
                return
            dice = random.Random(SEED + number)
            leaves = dice.random() if dice.random() < 0.2 else None
            try:
                self.said[number] = self.send(number, leaves)
            except (OSError, EOFError, AssertionError) as error:
                self.said[number] = "000 %r" % error
            # A route that is down takes a second to come back.
            time.sleep(dice.random() / 5 if (self.said[number] or "2")[:1] == "2" else 0.5)

    def disturb(self):
        """One thing at a time goes wrong, and is mended again; in turn, so that each does."""
        back, front = self.server.BACK, self.server.FRONT
        things = ("control", back, front + " gone", front)
        for number, what in enumerate(itertools.cycle(things)):
            if number == len(things):
                self.all_tried.set()
            if self.done.wait(0.2 + self.random.random() / 2):
                return
            self.counts[what] += 1
            if what == "control":
                self.box.process_of("postern-control").signal(signal.SIGKILL)
            elif what.endswith(" gone"):
                self.server.kill_oldest(front)
            else:
                self.server.signal(what, signal.SIGSTOP)
                self.done.wait(self.random.uniform(1, VERDICT_SECONDS + 1))
                self.server.signal(what, signal.SIGCONT)

    def test_no_is_no(self):
        disturber = threading.Thread(target=self.disturb)
        disturber.start()
        try:
            appliance.in_threads(SENDERS, self.work)
        finally:
            self.done.set()
            disturber.join()
        self.box.wait_idle(20)
        there = collections.Counter(
            int(re.search(rb"Subject: number (\d+)", content).group(1))
            for content in self.server.delivered())
        self.judge(there)

    def judge(self, there):
        heard = {number: said for number, said in self.said.items() if number not in self.left}
        good = [number for number, said in heard.items() if said[:1] == "2"]
        bad = [number for number, said in heard.items() if said[:1] != "2"]
        window = [number for number in bad if WINDOW.search(heard[number])]
        taken = [number for number in bad if there[number] > 0]
        faults = ", ".join("%s %d times" % pair for pair in sorted(self.counts.items()))
        print("      %d mails, %s: %d heard 2xx, %d another word (%d of them in SMTP's window, %d "
              "of these delivered), %d left (%d delivered)" % (
                  len(self.said), faults, len(good), len(bad), len(window), len(taken),
                  len(self.left), sum(there[number] > 0 for number in self.left)), flush=True)
        self.assertGreaterEqual(len(self.said), MAILS)
        self.assertEqual([number for number in good if there[number] != 1], [])
        self.assertLessEqual(max(there.values()), 1)
        self.assertEqual([heard[number] for number in taken if number not in window], [])
        self.assertGreater(len(good), MAILS // 10)
        self.assertGreater(len(bad), 0)


@unittest.skipUnless(postfix.available(), "postfix is missing")
class WithPostfix(Promise, unittest.TestCase):
    def setUp(self):
        self.serve(postfix.Postfix())


@unittest.skipUnless(bed.NIGHT, "for nights (POSTERN_TEST_NIGHT=1)")
@unittest.skipUnless(exim.available(), "exim4 is missing")
class WithExim(Promise, unittest.TestCase):
    def setUp(self):
        self.serve(exim.Exim())


if __name__ == "__main__":
    unittest.main()
