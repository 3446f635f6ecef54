"""Connections spread over two workers: by software, and by the port's own queues."""

import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "links"))

import appliance  # noqa: E402
import bed  # noqa: E402
from customers import Customer  # noqa: E402

MESSAGES = 500
CONNECTIONS = 50


@unittest.skipIf((os.cpu_count() or 1) < 2, "this machine has one core")
class Workers(unittest.TestCase):
    def run_with(self, kind, family, spreading):
        customer = Customer()
        self.addCleanup(customer.stop)
        with bed.Bed([appliance.customer("example", ["example.org"], customer.port)],
                     {"cores": {"workers": "0-1"}}, kind=kind,
                     port={"spreading": spreading}) as box:
            run = bed.Run(box, bed.sizes(MESSAGES, most=20000), connections=CONNECTIONS,
                          family=family, each=10).go()
            run.check(self, customer)
            counters = bed.settled(box)
            workers = box.status()["workers"]
        self.assertEqual(counters["message_delivered"], MESSAGES)
        self.assertEqual(len(workers), 2)
        for worker in workers:
            self.assertGreater(worker["connections_opened"], 5)
            self.assertGreater(worker["message_delivered"], MESSAGES // 10)
            self.assertGreater(worker["rx_packets"], 500)
        if spreading == "rss":
            self.assertEqual(counters["passed_on"], 0)
        else:
            self.assertGreater(counters["passed_on"], 0)
            self.assertLessEqual(counters["passed_on"],
                                 sum(worker["rx_packets"] for worker in workers[1:]))
        print("      %s IPv%d %s: %s messages, %s packets of each worker, %d passed on; %.1f s" %
              (kind, family, spreading, [worker["message_delivered"] for worker in workers],
               [worker["rx_packets"] for worker in workers], counters["passed_on"], run.elapsed),
              flush=True)

    def test_tap_software(self):
        self.run_with("tap", 4, "software")

    def test_tap_queues(self):
        self.run_with("tap", 4, "rss")

    def test_tap_software_ipv6(self):
        self.run_with("tap", 6, "software")

    def test_af_packet_software(self):
        self.run_with("af_packet", 6, "software")

    def test_af_packet_queues(self):
        self.run_with("af_packet", 4, "rss")
