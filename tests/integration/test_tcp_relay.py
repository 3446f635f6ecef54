"""Mail over a wire that reorders, repeats, damages, cuts and delays packets (links/relay.c).

With POSTERN_TEST_NIGHT=1: 2,000 messages of 1 KB to 1 MB for each kind of port and each version of
IP; else a sample of them.
"""

import pathlib
import shutil
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "links"))

import appliance  # noqa: E402
import bed  # noqa: E402
from customers import Customer  # noqa: E402

MESSAGES = 2000 if bed.NIGHT else 100
NIGHT_SECONDS = 3600
SEED = 20261121

# Packets in a thousand.
EVERYTHING = {"seed": SEED, "drop": 10, "reorder": 100, "duplicate": 30, "corrupt": 20,
              "truncate": 5, "delay": 5}


@unittest.skipUnless(shutil.which("ethtool"), "ethtool is missing")
class Relay(unittest.TestCase):
    def run_over(self, kind, family, faults, messages=MESSAGES, most=1000000):
        if bed.NIGHT:
            signal.alarm(NIGHT_SECONDS)
        customer = Customer()
        self.addCleanup(customer.stop)
        with bed.Bed([appliance.customer("example", ["example.org"], customer.port)],
                     kind=kind, joined="relay", relay=faults) as box:
            run = bed.Run(box, bed.sizes(messages, most=most), connections=24, family=family).go()
            run.check(self, customer)
            counters = bed.settled(box, 30)
            did = box.stop_relay()
        for fault, per_mille in faults.items():
            if fault in ("drop", "reorder", "duplicate", "corrupt", "truncate", "delay"):
                self.assertGreater(did[fault], did["forwarded"] * per_mille / 1000 / 3, fault)
        self.assertEqual(counters["message_delivered"], messages)
        print("      %s IPv%d: %d messages in %.1f s, longest %.1f s; %s; bad checksums %d, bad "
              "headers %d, duplicates %d, out of order %d" %
              (kind, family, messages, run.elapsed, max(run.seconds.values()), did,
               counters["frame_bad_checksum"] + counters["tcp_in_bad_checksum"],
               counters["frame_bad_ip"] + counters["frame_short"], counters["tcp_in_duplicate"],
               counters["tcp_out_of_order"]), flush=True)
        return counters

    def test_everything_tap_ipv4(self):
        self.run_over("tap", 4, EVERYTHING)

    def test_everything_af_packet_ipv6(self):
        self.run_over("af_packet", 6, EVERYTHING)

    @unittest.skipUnless(bed.NIGHT, "for nights (POSTERN_TEST_NIGHT=1)")
    def test_everything_tap_ipv6(self):
        self.run_over("tap", 6, EVERYTHING)

    @unittest.skipUnless(bed.NIGHT, "for nights (POSTERN_TEST_NIGHT=1)")
    def test_everything_af_packet_ipv4(self):
        self.run_over("af_packet", 4, EVERYTHING)

    def test_reordering_alone(self):
        """Half of all packets out of order, none lost."""
        counters = self.run_over("tap", 4, {"seed": SEED, "reorder": 500, "reorder_us": 3000},
                                 messages=40)
        self.assertGreater(counters["tcp_out_of_order"], 100)

    def test_damage_alone(self):
        """One packet in ten damaged: every one of them is noticed."""
        counters = self.run_over("tap", 6, {"seed": SEED, "corrupt": 100}, messages=30,
                                 most=100000)
        self.assertGreater(counters["tcp_in_bad_checksum"], 20)

    def test_everything_twice(self):
        counters = self.run_over("af_packet", 4, {"seed": SEED, "duplicate": 1000},
                                 messages=30, most=300000)
        self.assertGreater(counters["tcp_in_duplicate"], 100)
