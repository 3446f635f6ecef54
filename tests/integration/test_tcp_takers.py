"""Senders that take memory and keep it, in three ways, and what good senders see of it.

Asserted is what those hear: all their mails are taken, none is refused and none of their commands
is left without an answer. Their times before and during are printed, for whoever reads them.

With POSTERN_TEST_NIGHT=1 at full size: 1,000 connections that pipeline behind a dot whose verdict is
held, 700 of one address with 330 KB each, 1,100 handshakes with window 0 on a small pool.
"""

import collections
import json
import pathlib
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "links"))

import appliance  # noqa: E402
import bed  # noqa: E402
import mails  # noqa: E402
import peer  # noqa: E402
from customers import HANG, Customer  # noqa: E402

# Many networks: no client and no neighbourhood stands out.
SOURCES = ["198.18.%d.%d" % (net, host) for net in range(1, 17) for host in range(10, 12)]
GOOD = ["198.18.%d.9" % net for net in range(101, 105)]
MAILS = 60 if bed.NIGHT else 24
PIPELINERS = 1000 if bed.NIGHT else 200
FILLERS = 700 if bed.NIGHT else 70
WINDOWLESS = 1100 if bed.NIGHT else 120
# Each message that waits holds about four blocks besides what is behind it.
PIPELINERS_MEMORY = "128M" if bed.NIGHT else "32M"
FILLERS_MEMORY = "128M" if bed.NIGHT else "32M"
BLOCK_BYTES = 16384
PIECES = 16  # short replies to a block


class Takers(unittest.TestCase):
    def box(self, memory, **limits):
        self.good = Customer()
        self.addCleanup(self.good.stop)
        self.held = Customer(replies={"end": HANG})
        self.addCleanup(self.held.stop)
        box = bed.Bed([appliance.customer("good", ["good.example"], self.good.port),
                       appliance.customer("held", ["held.example"], self.held.port)],
                      {"limits": dict({"message_size": "1M"}, **limits),
                       "memory": {"messages": memory}}, prefix=16)
        self.addCleanup(box.stop)
        box.start()
        for source in SOURCES + GOOD:
            appliance.ip("-n", box.client, "address", "add", source + "/16", "dev",
                         box.client_interface)
        return box

    def hold(self, box, count, kind, sources):
        process = bed.start_client(self, box, "hold.py", count, kind, "a@held.example", *sources)
        return process, int(process.stdout.readline().split()[1])

    def serve(self, box):
        """(seconds of each, [what went wrong]) of MAILS mails from addresses of good senders."""
        seconds, wrong = [], []

        def send(source):
            for number in range(MAILS // len(GOOD)):
                began = time.monotonic()
                try:
                    session = box.session(timeout=60, source=source)
                    session.ehlo()
                    code, text = session.send(mails.plain("good %d" % number, b"x\n" * 500),
                                              recipients=["b@good.example"])
                    session.say("QUIT")
                    session.close()
                    if code != 250:
                        wrong.append("%d %s" % (code, text))
                except (OSError, EOFError, AssertionError) as error:
                    wrong.append(repr(error))
                seconds.append(time.monotonic() - began)

        threads = [threading.Thread(target=send, args=(source,)) for source in GOOD]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return seconds, wrong

    def cores(self, box):
        """ms that the dataplane's threads have run, and have waited for a core."""
        tasks = pathlib.Path("/proc/%d/task" % box.process_of("postern-dataplane").pid)
        each = [(task / "schedstat").read_text().split() for task in tasks.iterdir()]
        return [sum(int(one[i]) for one in each) / 1e6 for i in range(2)]

    def watch(self, box):
        ran, waited = self.cores(box)
        seconds, wrong = self.serve(box)
        then = self.cores(box)
        return seconds, wrong, (then[0] - ran, then[1] - waited)

    def report(self, what, counters, before, during):
        (median, most, _), (median_then, most_then, _) = (bed.percentiles(each[0])
                                                          for each in (before, during))
        print("   %s; %d of %d blocks free; good mails before %.1f / %.1f ms (p50 / p99), during "
              "%.1f / %.1f ms: %.1f and %.1f times as much; the dataplane ran %d, then %d ms, and waited "
              "for a core %d, then %d ms" %
              (what, counters["blocks_free"], counters["blocks_total"], median, most, median_then,
               most_then, median_then / median, most_then / most, before[2][0], during[2][0],
               before[2][1], during[2][1]), flush=True)

    def during(self, box, take, what):
        before = self.watch(box)
        self.assertEqual(before[1], [])
        said = take()
        held = box.counters()
        during = self.watch(box)
        wrong = during[1]
        self.report(what % said, held, before, during)
        self.assertEqual(collections.Counter(wrong), {})
        bed.check_books(box)
        self.assertEqual(len(self.good.taken), 2 * (MAILS // len(GOOD)) * len(GOOD))
        return held

    def test_pipelined_behind_a_dot(self):
        box = self.box(PIPELINERS_MEMORY, messages_in_progress=2 * PIPELINERS)
        ready = []

        def take():
            self.process, count = self.hold(box, PIPELINERS, "pipeline", SOURCES)
            ready.append(count)
            return count

        self.during(box, take, "%d connections pipelined behind a dot")
        self.assertGreater(ready[0], PIPELINERS // 2)
        self.held.stop()
        said = json.loads(self.process.communicate(timeout=30)[0])
        self.assertGreater(said["open"], PIPELINERS // 2)
        bed.settled(box, 60)

    def test_one_address_fills(self):
        box = self.box(FILLERS_MEMORY, messages_in_progress=2 * FILLERS)

        ready = []

        def take():
            self.process, count = self.hold(box, FILLERS, "fill", SOURCES[:1])
            time.sleep(2)  # what they can send they have sent, but for who waits for room
            ready.append(count)
            return count

        self.during(box, take, "%d connections of one address sent 330 KB each")
        self.assertGreater(ready[0], 0)
        self.process.communicate(timeout=30)

    def test_no_window(self):
        box = self.box("8M")
        wire = peer.Wire(box, self.id())
        self.addCleanup(wire.close)
        peers = []

        def take():
            for number in range(WINDOWLESS):
                address = "10.%d.%d.7" % (1 + number // 200, number % 200)
                peers.append(peer.Peer(wire, window=0, address=address).start())
                wire.drain()
            return len(peers)

        free = box.counters()["blocks_free"]
        held = self.during(box, take, "%d connections without a window")
        self.assertGreaterEqual(held["connections_open"], WINDOWLESS)
        self.assertLessEqual(free - held["blocks_free"], WINDOWLESS // PIECES + 1)
        for one in peers:
            one.reset()
        bed.settled(box, 30)


if __name__ == "__main__":
    unittest.main()
