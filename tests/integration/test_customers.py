"""Customers whose servers hang, or read slowly, and what the senders to another one see of it.

Asserted is what they hear: their mails are all delivered, and none of them is refused. Their times
before and during are printed side by side, and judged by whoever reads them: crowd, good senders,
servers and appliance share this machine's cores.

With POSTERN_TEST_NIGHT=1: 500 senders and the slots there are by default, two and ten customers.
"""

import collections
import itertools
import json
import pathlib
import signal
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "links"))

import appliance  # noqa: E402
import bed  # noqa: E402
import mails  # noqa: E402
from customers import HANG, Customer  # noqa: E402
from test_no_is_no import SlowReader  # noqa: E402

# Many networks: no client and no neighbourhood stands out, so no limit of theirs helps.
SOURCES = ["198.18.%d.%d" % (net, host) for net in range(1, 17) for host in range(10, 12)]
GOOD_SENDERS = 4
WARM = 8
MAILS = 400 if bed.NIGHT else 100
SENDERS = 500 if bed.NIGHT else 120
SLOTS = 1024 if bed.NIGHT else 128
INTERVAL = 2 if bed.NIGHT else 1
VERDICT_SECONDS = 20 if bed.NIGHT else 5
SLOW_MAILS = 24 if bed.NIGHT else 8
SLOW_BYTES = 3000000
FLAPS = 10 if bed.NIGHT else 2


class Customers(unittest.TestCase):
    def box(self, ports, **limits):
        """The good customer, and one for each of `ports`."""
        self.good = Customer()
        self.addCleanup(self.good.stop)
        box = bed.Bed([appliance.customer("good", ["good.example"], self.good.port)] +
                      [appliance.customer("other%d" % number, ["other%d.example" % number], port)
                       for number, port in enumerate(ports)],
                      {"limits": dict({"verdict_timeout": "%ds" % VERDICT_SECONDS}, **limits),
                       "scanner": {"time_limit": "%ds" % (VERDICT_SECONDS // 2)}}, prefix=16)
        self.addCleanup(box.stop)
        box.start()
        for number in range(WARM):
            self.assertEqual(box.send(mails.plain("warm %d" % number, b"x\n"),
                                      recipients=["a@good.example"])[0], 250)
        for source in SOURCES:
            appliance.ip("-n", box.client, "address", "add", source + "/16", "dev",
                         box.client_interface)
        return box


class Crowded(Customers):
    def crowd(self, box, count, interval, size, domains):
        return bed.start_client(
            self, box, "crowd.py", count, interval, size,
            ",".join("other%d.example" % number for number in range(domains)), *SOURCES)

    def good_mail(self, box):
        """Each over a connection of its own; (p50, p99, longest) in ms. None is refused a thing."""
        seconds = []
        lock = threading.Lock()

        def send(number):
            for _ in range(MAILS // GOOD_SENDERS):
                began = time.monotonic()
                code, text = box.send(mails.plain("good %d" % number, b"x\n" * 500),
                                      recipients=["a@good.example"])
                self.assertEqual((code, text[:3]), (250, "2.0"), text)
                with lock:
                    seconds.append(time.monotonic() - began)
        appliance.in_threads(GOOD_SENDERS, send)
        return bed.percentiles(seconds)

    def report(self, what, before, during):
        print("      %s: %d of %d good mails delivered, 0 refused; p50 %.2f ms before, %.1f times "
              "that during; p99 %.2f ms, %.1f times; longest %.1f times" % (
                  what, MAILS, MAILS, before[0], during[0] / before[0], before[1],
                  during[1] / before[1], during[2] / before[2]), flush=True)

    def settled(self, box):
        counters = bed.settled(box, VERDICT_SECONDS + 5)
        self.assertEqual(len(self.good.taken), WARM + 2 * MAILS)
        self.assertEqual(counters["message_delivered"], WARM + 2 * MAILS)
        return counters

    def hang(self, count):
        if bed.NIGHT:
            signal.alarm(600)
        servers = [Customer({"end": HANG}) for _ in range(count)]
        for server in servers:
            self.addCleanup(server.stop)
        box = self.box([server.port for server in servers], messages_in_progress=SLOTS)
        before = self.good_mail(box)
        crowd = self.crowd(box, SENDERS, INTERVAL, 1000, count)
        self.assertEqual(crowd.stdout.readline(), "ready\n")
        # All they can get they have now.
        appliance.wait_for(lambda: box.counters()["customer_crowded"] > 0, 60, "crowded")
        held = box.counters()["messages_in_progress"]
        during = self.good_mail(box)
        said = json.loads(crowd.communicate(timeout=60)[0])
        self.assertEqual(said["taken"], 0)
        self.assertGreater(said["refused"], 0)
        self.report("%d customers hang, %d senders, %d of %d slots held, %d mails tried, %d "
                    "refused" % (count, SENDERS, held, SLOTS, said["mails"], said["refused"]),
                    before, during)
        counters = self.settled(box)
        self.assertEqual([server.taken for server in servers], [[]] * count)
        self.assertGreaterEqual(counters["customer_crowded"], said["refused"])

    def test_two_hang(self):
        self.hang(2)

    @unittest.skipUnless(bed.NIGHT, "for nights (POSTERN_TEST_NIGHT=1)")
    def test_ten_hang(self):
        self.hang(10)

    @staticmethod
    def deferred(box):
        return sum(record["status"].startswith("deferred") for record in box.log_records())

    def test_slow_server(self):
        """It reads 32 KB a second. When its senders have been answered, their blocks are back,
        however much it has yet to read; and while they wait, other mail finds room."""
        if bed.NIGHT:
            signal.alarm(600)
        slow = SlowReader(32768)
        self.addCleanup(slow.stop)
        box = self.box([slow.port], message_size="8M")
        before = self.good_mail(box)
        relayed = box.counters()["relay_jobs"]
        crowd = self.crowd(box, SLOW_MAILS, 0, SLOW_BYTES, 1)
        self.assertEqual(crowd.stdout.readline(), "ready\n")
        # What is left is the slow server: all its mails have been scanned.
        appliance.wait_for(lambda: box.counters()["relay_jobs"] - relayed + self.deferred(box) >=
                           SLOW_MAILS, 30, "relaying")
        during = self.good_mail(box)
        counters = box.counters()
        said = json.loads(crowd.stdout.readline())
        self.assertEqual((said["taken"], said["mails"], said["closed"]), (0, SLOW_MAILS, 0))
        self.assertGreater(said["deferred"], 0)
        box.wait_idle(5)
        self.report("a server that reads 32 KB/s, %d mails of 3 MB, %d deferred, %d refused; %d of "
                    "%d blocks held meanwhile, all back when the last sender was answered" % (
                        SLOW_MAILS, said["deferred"], said["refused"],
                        counters["blocks_total"] - counters["blocks_free"],
                        counters["blocks_total"]), before, during)
        self.settled(box)
        self.assertEqual(slow.taken, 0)


class Flapping(Customers):
    """A server that comes and goes shows to its own customer's senders alone."""

    def talk(self, box, domain, said):
        """Mail after mail until `self.over`; what was heard, by number."""
        def send(thread):
            for number in itertools.count(thread * 100000):
                if self.over.is_set():
                    return
                try:
                    said[number] = "%d %s" % box.send(mails.plain("number %d" % number, b"x\n"),
                                                      recipients=["a@" + domain])
                except (OSError, EOFError, AssertionError) as error:
                    said[number] = "000 %r" % error
        return [threading.Thread(target=send, args=(thread,)) for thread in range(GOOD_SENDERS)]

    def test_flapping(self):
        server = Customer()
        box = self.box([server.port])
        self.over = threading.Event()
        good, other = {}, {}
        taken = []
        threads = self.talk(box, "good.example", good) + self.talk(box, "other0.example", other)
        for thread in threads:
            thread.start()
        try:
            for _ in range(FLAPS):
                time.sleep(0.7)
                server.stop()
                taken += server.taken
                time.sleep(0.7)
                server = Customer(port=server.port)
            back = len(taken)
            appliance.wait_for(lambda: server.taken, 70, "mail for the server that is back")
        finally:
            self.over.set()
            for thread in threads:
                thread.join()
            server.stop()
        taken += server.taken
        counters = box.wait_idle()
        self.judge(good, other, taken, counters)
        self.assertGreater(len(taken), back)

    def judge(self, good, other, taken, counters):
        there = collections.Counter(
            int(one.message.split(b"Subject: number ")[1].split(b"\r\n")[0]) for one in taken)
        self.assertGreater(len(good), GOOD_SENDERS)
        self.assertEqual([said for said in good.values() if said[:8] != "250 2.0."], [])
        self.assertLessEqual({said[:8] for said in other.values()},
                             {"250 2.0.", "451 4.4."})
        self.assertEqual([number for number, said in other.items()
                          if said[:3] == "250" and there[number] != 1], [])
        # Whoever did not hear 250 is there only where the server went before it said so.
        self.assertEqual([other[number] for number in there
                          if other[number][:3] != "250" and "closed by" not in other[number] and
                          "reset" not in other[number]], [])
        self.assertGreater(counters["smtp_route_down"], 0)
        self.assertEqual(len(self.good.taken), WARM + len(good))
        print("      a server came and went %d times: of %d mails for it %d were delivered and %d "
              "refused at RCPT; %d of %d others were delivered, 0 refused" % (
                  FLAPS, len(other), len(there), counters["smtp_route_down"], len(good),
                  len(good)), flush=True)


if __name__ == "__main__":
    unittest.main()
