"""A SYN flood and 10,000 slow senders at once, while a good sender's mail goes through.

Prints the good sender's times before and during, side by side, and asserts none of them: what must
hold is that all good mail is delivered and that the counters add up. How fast it is is a matter of
the machine: generator, slow senders, good sender and appliance share its cores.

A flood that fills the TAP port's queue makes it drop good packets, too. When that is the last packet
of a handshake that was answered with a cookie, nobody is left to send the greeting: the client waits
for it in vain, and a mail system tries again. So does the good sender here, after GREETING_SECONDS;
how often is printed.
"""

import json
import pathlib
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "links"))

import appliance  # noqa: E402
import bed  # noqa: E402
import mails  # noqa: E402
from customers import Customer  # noqa: E402

SLOW = 10000
SLOW_IN_DATA = 120  # a network may have 32 mails of unknown size come in at once
MAILS = 400 if bed.NIGHT else 100
MODERATE = 20000  # packets a second, well below what a TAP port takes
FLOOD_SECONDS = 40 if bed.NIGHT else 8
GREETING_SECONDS = 8
TRIES = 3
FLOOD_MAC = "02:66:00:00:00:f1"
PORT_MAC = "02:50:c6:12:00:02"
# Twenty addresses in four networks: no limit of one of them is reached.
SOURCES = ["198.18.%d.%d" % (net, host) for net in range(1, 5) for host in range(10, 15)]


class Flood(unittest.TestCase):
    def setUp(self):
        self.customer = Customer()
        self.addCleanup(self.customer.stop)
        self.box = bed.Bed([appliance.customer("example", ["example.org"], self.customer.port)],
                           {"limits": {"connections": 12000}}, prefix=16)
        self.addCleanup(self.box.stop)
        self.box.start()
        self.good = 0

    def start(self, *words, **options):
        """A program in the client's namespace that ends with the test."""
        process = subprocess.Popen(["ip", "netns", "exec", self.box.client, *map(str, words)],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                   **options)

        def end():
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()
        self.addCleanup(end)
        return process

    def slow_senders(self):
        for source in SOURCES:
            appliance.ip("-n", self.box.client, "address", "add", source + "/16", "dev",
                         self.box.client_interface)
        began = time.monotonic()
        process = self.start(sys.executable, "-B", pathlib.Path(__file__).parent / "links" /
                             "slow.py", appliance.ADDRESS, 25, SLOW, SLOW_IN_DATA, *SOURCES)
        said = process.stdout.readline()
        self.assertEqual(said, "ready %d\n" % SLOW)
        self.report("%d slow senders connected in %.1f s" % (SLOW, time.monotonic() - began))
        return process

    def flood(self, rate=0):
        return self.start(bed.PROGRAMS / "flood", self.box.client_interface, FLOOD_MAC, PORT_MAC,
                          appliance.ADDRESS, 25, FLOOD_SECONDS, rate)

    @staticmethod
    def report(text):
        print("      " + text, flush=True)

    def mail(self, what, count=MAILS, until=None):
        """Good mail, one connection each, as long as `until` runs (and one at least)."""
        seconds = []
        self.ungreeted = 0
        while len(seconds) < count and not (seconds and until and until.poll() is not None):
            content = mails.plain("good %d" % self.good, b"x\n" * 500, identity=str(self.good))
            began = time.monotonic()
            session = self.greeted()
            session.socket.settimeout(60)
            session.ehlo()
            code, text = session.send(content)
            self.assertEqual(code, 250, text)
            session.say("QUIT")
            session.close()
            seconds.append(time.monotonic() - began)
            self.good += 1
        self.report("%-44s %4d mails: p50 %8.2f ms, p99 %8.2f ms, longest %8.2f ms; "
                    "%d handshakes without greeting" % (
                        (what, len(seconds)) + bed.percentiles(seconds) + (self.ungreeted,)))

    def greeted(self):
        """A session, tried again only while nothing has been said on either side."""
        for _ in range(TRIES - 1):
            try:
                return self.box.session(timeout=GREETING_SECONDS)
            except TimeoutError:
                self.ungreeted += 1
        return self.box.session(timeout=GREETING_SECONDS)

    def flooded(self, what, rate=0):
        """Mail during a flood; what the flood was."""
        before = self.box.counters()
        flood = self.flood(rate)
        time.sleep(0.5)
        self.mail(what, 1000, flood)
        out, _ = flood.communicate(timeout=FLOOD_SECONDS + 30)
        said = json.loads(out)
        after = self.box.counters()
        moved = {name: after[name] - before[name] for name in after}
        self.report("   %d SYNs a second sent, %d a second taken in; kept %d, cookies %d" % (
            said["packets"] / said["seconds"], moved["rx_packets"] / said["seconds"],
            moved["syn_kept"], moved["syn_cookies_sent"]))
        self.assertGreater(moved["syn_kept"] + moved["syn_cookies_sent"], 10000)
        self.assertGreater(moved["syn_cookies_sent"], 0)
        return moved

    def books(self):
        counters = bed.check_books(self.box)
        self.assertEqual(counters["message_delivered"], self.good)
        self.assertEqual(len(self.customer.taken), self.good)
        self.assertEqual(counters["half_open_completed"] + counters["syn_cookies_good"],
                         counters["connections_opened"])
        self.assertEqual(counters["connections_refused"], 0)
        self.assertLessEqual(counters["half_open"], 3000 + 4096)
        return counters

    def test_flood_and_slow_senders(self):
        if bed.NIGHT:
            signal.alarm(600)
        self.mail("nothing else")
        slow = self.slow_senders()
        self.mail("with 10,000 slow senders")
        self.flooded("with them and a flood of %d a second" % MODERATE, MODERATE)
        self.flooded("with them and a flood at full rate")
        counters = self.books()
        self.report("   connections open %d, blocks free %d of %d, closed_evicted %d" % (
            counters["connections_open"], counters["blocks_free"], counters["blocks_total"],
            counters["closed_evicted"]))
        said, _ = slow.communicate(timeout=60)
        self.report("   slow senders at the end: %s" % said.strip())
        # Commands may hold a quarter of the blocks: so many of the slow stay, the others are reset.
        self.assertGreaterEqual(json.loads(said)["open"], counters["blocks_total"] // 4)
        self.mail("afterwards")
        counters = bed.settled(self.box, 30)
        self.assertEqual(counters["message_cut_off"] + counters["message_abandoned"], SLOW_IN_DATA)
        self.books()
