"""Senders that take what is scarce and do not use it: message slots, and blocks for commands.

Without a defence each of these keeps everybody else out for minutes. Nothing is asserted about how
fast good mail is, only that it is delivered while they are still there.
"""

import json
import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "links"))

import appliance  # noqa: E402
import bed  # noqa: E402
import mails  # noqa: E402
from customers import Customer  # noqa: E402

# Many networks: no client and no neighbourhood stands out, so no limit of theirs helps.
SOURCES = ["198.18.%d.%d" % (net, host) for net in range(1, 17) for host in range(10, 12)]
SLOTS = 64
YOUNG_SECONDS = 10  # nobody younger loses its place
HOLDERS = 2500  # more than memory.messages of 32M has blocks


class Scarcity(unittest.TestCase):
    def box(self, overrides):
        self.customer = Customer()
        self.addCleanup(self.customer.stop)
        box = bed.Bed([appliance.customer("example", ["example.org"], self.customer.port)],
                      overrides, prefix=16)
        self.addCleanup(box.stop)
        box.start()
        for source in SOURCES:
            appliance.ip("-n", box.client, "address", "add", source + "/16", "dev",
                         box.client_interface)
        return box

    def slow(self, box, count, in_data):
        process = bed.start_client(self, box, "slow.py", count, in_data, *SOURCES)
        self.assertEqual(process.stdout.readline(), "ready %d\n" % count)
        return process

    def good(self, box, number):
        session = box.session(timeout=20)
        session.ehlo()
        code, text = session.send(mails.plain("good %d" % number, b"x\n" * 500,
                                              identity=str(number)))
        self.assertEqual(code, 250, text)
        session.say("QUIT")
        session.close()

    def test_message_slots(self):
        box = self.box({"limits": {"messages_in_progress": SLOTS}})
        process = self.slow(box, SLOTS, SLOTS)
        time.sleep(YOUNG_SECONDS + 1)
        self.assertEqual(box.counters()["messages_in_progress"], SLOTS)
        for number in range(20):
            self.good(box, number)
        counters = bed.check_books(box)
        self.assertEqual(counters["message_delivered"], 20)
        self.assertGreater(counters["message_no_room"], 0)
        said = json.loads(process.communicate(timeout=30)[0])
        self.assertLess(said["open"], SLOTS)
        bed.settled(box, 30)

    def test_command_blocks(self):
        box = self.box({"limits": {"message_size": "4M", "connections": 4000},
                        "memory": {"messages": "32M"}})
        process = self.slow(box, HOLDERS, 0)
        time.sleep(5)
        for number in range(20):
            self.good(box, number)
        counters = bed.check_books(box)
        self.assertEqual(counters["message_delivered"], 20)
        self.assertGreater(counters["closed_evicted"], 0)
        process.communicate(timeout=30)
        bed.settled(box, 30)
