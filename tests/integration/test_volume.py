"""A thousand messages at once, by another program than ours, with one worker and with two."""

import os
import shutil
import unittest

import appliance
import mails
from customers import Customer

MESSAGES = 1000
CONCURRENCY = 50


@unittest.skipUnless(shutil.which("smtp-source"), "smtp-source (package postfix) is missing")
class Volume(unittest.TestCase):
    def run_source(self, changes):
        customer = Customer()
        self.addCleanup(customer.stop)
        with appliance.Appliance(
                [appliance.customer("example", ["example.org"], customer.port)], changes) as box:
            result = box.inside("smtp-source", "-s", CONCURRENCY, "-m", MESSAGES, "-l", 1000,
                                "-f", "source@example.net", "-t", "alice@example.org",
                                appliance.ADDRESS + ":25", timeout=100)
            self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))
            self.assertEqual(len(customer.taken), MESSAGES)
            self.assertEqual(sum(len(taken.fields) == 3 for taken in customer.taken), MESSAGES)
            counters = box.wait_idle()
            self.assertEqual(counters["message_delivered"], MESSAGES)
            self.assertEqual(counters["log_lost"], 0)
            self.assertEqual(sum(record["status"].startswith("sent ")
                                 for record in box.log_records()), MESSAGES)
            self.assertLessEqual(customer.connections_max, 20)
            return box.status()

    def test_one_worker(self):
        self.run_source({"cores": {"workers": 0}})

    @unittest.skipIf((os.cpu_count() or 1) < 2, "this machine has one core")
    def test_two_workers(self):
        status = self.run_source({"cores": {"workers": "0-1"}})
        self.assertEqual(len(status["workers"]), 2)
        for worker in status["workers"]:
            self.assertGreater(worker["message_delivered"], MESSAGES // 10,
                               "connections were not spread")


class TwoWorkers(unittest.TestCase):
    @unittest.skipIf((os.cpu_count() or 1) < 2, "this machine has one core")
    def test_large_messages_at_once(self):
        """Both workers reassemble, scan and relay while the other does."""
        customer = Customer()
        self.addCleanup(customer.stop)
        with appliance.Appliance(
                [appliance.customer("example", ["example.org"], customer.port)],
                {"cores": {"workers": "0-1"}}) as box:
            messages = [mails.attachment("big %d" % number, "a.bin", os.urandom(1500000),
                                         identity="big%d" % number) for number in range(8)]
            replies = appliance.in_threads(8, lambda number: box.send(messages[number]))
            self.assertEqual([code for code, _ in replies], [250] * 8)
            self.assertEqual(sorted(taken.message for taken in customer.taken), sorted(messages))
            box.wait_idle()
