"""Mail over a link that loses five packets in a hundred, both ways.

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


@unittest.skipUnless(shutil.which("nft"), "nft (package nftables) is missing")
@unittest.skipUnless(shutil.which("ethtool"), "ethtool is missing")
class Loss(unittest.TestCase):
    def run_over(self, kind, family):
        if bed.NIGHT:
            signal.alarm(NIGHT_SECONDS)
        customer = Customer()
        self.addCleanup(customer.stop)
        with bed.Bed([appliance.customer("example", ["example.org"], customer.port)],
                     kind=kind, joined="bridge") as box:
            box.lose(5)
            run = bed.Run(box, bed.sizes(MESSAGES), connections=24, family=family).go()
            run.check(self, customer)
            counters = bed.settled(box, 30)
            lost = box.lost()
        for direction in ("from_client", "from_port"):
            dropped, passed = lost[direction]
            self.assertGreater(dropped, (dropped + passed) * 0.03, direction)
        self.assertEqual(counters["message_delivered"], MESSAGES)
        self.assertGreater(counters["tcp_out_of_order"], 0)
        print("      %s IPv%d: %d messages in %.1f s, longest %.1f s; lost %s; %d retransmissions "
              "of ours" % (kind, family, MESSAGES, run.elapsed, max(run.seconds.values()), lost,
                           counters["tcp_retransmits"]), flush=True)

    def test_tap_ipv4(self):
        self.run_over("tap", 4)

    def test_af_packet_ipv6(self):
        self.run_over("af_packet", 6)

    @unittest.skipUnless(bed.NIGHT, "for nights (POSTERN_TEST_NIGHT=1)")
    def test_tap_ipv6(self):
        self.run_over("tap", 6)

    @unittest.skipUnless(bed.NIGHT, "for nights (POSTERN_TEST_NIGHT=1)")
    def test_af_packet_ipv4(self):
        self.run_over("af_packet", 4)
