"""Processes die: what was in flight is answered, nothing is answered 250 that the customer did not
get, and the appliance mends itself.
"""

import io
import pathlib
import signal
import sys
import threading
import time
import unittest
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "links"))

import appliance  # noqa: E402
import bed  # noqa: E402
import mails  # noqa: E402
from customers import Customer  # noqa: E402


def long_scan(files=2):
    """A message that keeps a scanner busy for a second or two a file, and is clean."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for number in range(files):
            file.writestr("zeros%d.bin" % number, bytes(150 << 20))
    return mails.attachment("long", "zeros.zip", archive.getvalue(), "application/zip")


class Kills(unittest.TestCase):
    def setUp(self):
        self.customer = Customer()
        self.addCleanup(self.customer.stop)
        self.appliance = appliance.Appliance(
            [appliance.customer("example", ["example.org"], self.customer.port)],
            {"scanner": {"processes": 1}})
        self.addCleanup(self.appliance.stop)
        self.appliance.start()
        self.message = mails.plain("message", b"x\n")
        self.good()

    def good(self):
        before = len(self.customer.taken)
        code, text = self.appliance.send(self.message)
        self.assertEqual(code, 250, text)
        self.assertEqual(len(self.customer.taken), before + 1)

    def in_background(self, function):
        results = []

        def work():
            try:
                results.append(function())
            except BaseException as error:  # noqa: BLE001 (looked at by the test)
                results.append(error)
        thread = threading.Thread(target=work)
        thread.start()

        def join():
            thread.join(60)
            self.assertTrue(results, "no answer at all")
            return results[0]
        return join

    def good_again(self, seconds=20):
        """The next mails may be deferred, but soon one goes through."""
        before = len(self.customer.taken)
        said = []

        def sent():
            try:
                said.append(self.appliance.send(self.message)[0])
            except (OSError, EOFError, AssertionError):
                said.append(0)
            return said[-1] == 250
        appliance.wait_for(sent, seconds, "mail goes through again")
        self.assertLessEqual(set(said), {250, 451, 421, 0})
        self.assertEqual(len(self.customer.taken), before + 1)

    def test_scanner_child_killed_while_it_scans(self):
        """The message is given to another scanner, and the sender notices nothing."""
        child, = self.appliance.scanner_keepers()
        child.signal(signal.SIGSTOP)  # so that it has the message and does not answer
        jobs = self.appliance.counters()["scan_jobs"]
        answer = self.in_background(lambda: self.appliance.send(self.message))
        appliance.wait_for(lambda: self.appliance.counters()["scan_jobs"] > jobs, 5, "scanning")
        child.signal(signal.SIGKILL)
        code, text = answer()
        self.assertEqual(code, 250, text)
        self.assertEqual(len(self.customer.taken), 2)
        counters = self.appliance.wait_idle()
        self.assertEqual(counters["scan_retries"], 1)
        self.assertEqual(counters["scan_jobs"], jobs + 2)
        replacement, = self.appliance.scanner_keepers()
        self.assertNotEqual(replacement.pid, child.pid)

    def check_books(self, scanner, control):
        """What scanners and control have counted agrees with the workers, whoever died."""
        bed.check_books(self.appliance)
        status = self.appliance.status()
        for counters, expected in ((status["scanner_counters"], scanner),
                                   (status["control_counters"], control)):
            self.assertEqual({name: counters[name] for name in expected}, expected)

    def test_books_over_deaths(self):
        """A scanner dies at work and one idle, then control: each goes on where the last one was."""
        child, = self.appliance.scanner_keepers()
        child.signal(signal.SIGSTOP)
        jobs = self.appliance.counters()["scan_jobs"]
        answer = self.in_background(lambda: self.appliance.send(self.message))
        appliance.wait_for(lambda: self.appliance.counters()["scan_jobs"] > jobs, 5, "scanning")
        child.signal(signal.SIGKILL)
        self.assertEqual(answer()[0], 250)
        self.check_books({"scanner_jobs": 3, "scanner_clean": 2, "scanner_lost": 1,
                          "scanner_restarts": 1, "scanner_refused": 0},
                         {"control_jobs": 2, "control_delivered": 2, "control_restarts": 0})
        self.assertEqual(self.appliance.status()["counters"]["message_delivered"], 2)
        control = self.appliance.process_of("postern-control")
        control.signal(signal.SIGKILL)
        self.good_again()
        bed.check_books(self.appliance)
        appliance.wait_for(lambda: self.appliance.status()["control_counters"]["control_delivered"] >= 3, 5,
                           "control's row")
        status = self.appliance.status()
        self.assertEqual(status["control_counters"]["control_restarts"], 1)
        self.assertGreaterEqual(status["control_counters"]["control_delivered"], 3)
        self.assertEqual(status["control_counters"]["control_connections"],
                         status["routes"][0]["connections_open"])
        row, = status["scanners"]
        self.assertEqual(row["state"], "ready")
        self.assertRegex(row["database"], "^[0-9a-f]{16}$")
        self.assertIn("ClamAV", row["engine"])
        self.assertGreater(row["scanner_bytes"], 2 * len(self.message))
        self.assertEqual(status["histograms"]["scan_time"]["count"], row["scanner_jobs"] - 1)
        bed.check_books(self.appliance)
        text = appliance.postern("status", "-c", self.appliance.config_path).stdout
        for word in ("scanners", "control", "delivered", "refused"):
            self.assertIn(word, text)

    def test_scanner_dies_twice_on_one_message(self):
        """Then it cannot be scanned: deferred, never delivered."""
        message = long_scan()  # made before the clock runs: it takes a busy machine long
        answer = self.in_background(lambda: self.appliance.send(message))
        for retries in range(2):
            appliance.wait_for(
                lambda: self.appliance.counters()["scan_jobs"] > 1 + retries, 10, "scanning")
            time.sleep(0.2)
            child, = appliance.wait_for(self.appliance.scanner_keepers, 5, "a scanner")
            child.signal(signal.SIGKILL)
        code, text = answer()
        self.assertEqual((code, text[:6]), (451, "4.7.1 "), text)
        self.assertIn("scanner died", text)
        self.good_again()
        self.assertEqual(len(self.customer.taken), 2)
        self.assertEqual(self.appliance.wait_idle()["message_unscannable"], 1)

    def restart(self, changes):
        self.appliance.stop()
        self.appliance = appliance.Appliance(
            [appliance.customer("example", ["example.org"], self.customer.port)],
            appliance.merge({"scanner": {"processes": 1}}, changes))
        self.addCleanup(self.appliance.stop)
        self.appliance.start()

    def test_scanner_hangs_at_work(self):
        """It is killed after one and a half times its limit, and the message tried on another."""
        self.restart({"scanner": {"time_limit": "4s"}})
        child, = self.appliance.scanner_children()
        message = long_scan(1)  # made before the clock runs: it takes a busy machine long
        answer = self.in_background(lambda: self.appliance.send(message))
        appliance.wait_for(lambda: self.appliance.counters()["scan_jobs"] > 0, 10, "scanning")
        handed = child.ticks()
        appliance.wait_for(lambda: child.ticks() > handed + 5, 10, "at work")
        child.signal(signal.SIGSTOP)
        code, text = answer()
        self.assertEqual(code, 250, text)
        self.assertFalse(child.alive())
        counters = self.appliance.wait_idle()
        self.assertEqual((counters["scan_timeouts"], counters["scan_retries"]), (1, 1))

    def test_scanner_never_begins(self):
        """A scanner that does not even take its job up: the sender is not kept waiting for ever."""
        self.restart({"limits": {"verdict_timeout": "3s"}, "scanner": {"time_limit": "2s"}})
        child, = self.appliance.scanner_keepers()
        child.signal(signal.SIGSTOP)
        code, text = self.appliance.send(self.message)
        self.assertEqual((code, text[:6]), (451, "4.7.1 "), text)
        self.good_again()
        self.assertFalse(child.alive())

    def test_scanner_parent_killed(self):
        parent = self.appliance.process_of("postern-scanner")
        children = self.appliance.scanner_keepers()
        parent.signal(signal.SIGKILL)
        appliance.wait_for(lambda: not any(child.alive() for child in children), 5,
                           "orphaned scanners are gone")
        self.good_again()
        self.assertEqual(len(self.appliance.scanner_keepers()), 1)

    def test_control_killed(self):
        """In flight: 451, and the customer may have it or not; never 250."""
        self.customer.delays["mail"] = 2
        answer = self.in_background(lambda: self.appliance.send(self.message))
        session = self.appliance.connect()
        appliance.wait_for(lambda: self.appliance.counters()["relay_jobs"] == 2, 5, "relaying")
        self.appliance.process_of("postern-control").signal(signal.SIGKILL)
        code, text = answer()
        self.assertEqual((code, text[:2]), (451, "4."), text)
        self.assertEqual(len(self.customer.taken), 1)
        self.customer.delays.clear()
        session.ehlo()  # connections stay
        session.close()
        self.good_again()

    def test_dataplane_killed(self):
        """Senders lose their connection, without a 250; then everything works again."""
        self.customer.delays["mail"] = 2
        answer = self.in_background(lambda: self.appliance.send(self.message, timeout=8))
        appliance.wait_for(lambda: self.appliance.counters()["relay_jobs"] == 2, 5, "relaying")
        dataplane = self.appliance.process_of("postern-dataplane")
        dataplane.signal(signal.SIGKILL)
        appliance.wait_for(lambda: not dataplane.alive(), 5, "dataplane gone")
        self.customer.delays.clear()

        def back():
            try:
                return self.appliance.process_of("postern-dataplane").pid != dataplane.pid
            except AssertionError:
                return False
        appliance.wait_for(back, 10, "dataplane started again")
        self.appliance.connect_neighbour()
        result = answer()
        self.assertIsInstance(result, (OSError, EOFError), result)
        taken = len(self.customer.taken)
        self.assertLessEqual(taken, 2)
        self.good_again(30)
        self.appliance.wait_idle()

    def test_connection_of_a_killed_dataplane(self):
        """A connection that the dataplane no longer knows is reset when its sender speaks."""
        session = self.appliance.connect()
        session.ehlo()
        dataplane = self.appliance.process_of("postern-dataplane")
        dataplane.signal(signal.SIGKILL)
        appliance.wait_for(lambda: not dataplane.alive(), 5, "dataplane gone")

        def back():
            try:
                return self.appliance.process_of("postern-dataplane").pid != dataplane.pid
            except AssertionError:
                return False
        appliance.wait_for(back, 10, "dataplane started again")
        self.appliance.connect_neighbour()
        self.good_again(30)
        before = time.monotonic()
        with self.assertRaises(ConnectionResetError):
            session.say("NOOP")
        self.assertLess(time.monotonic() - before, 3)

    def test_all_killed_under_load(self):
        """Whatever dies while ten senders send: every 250 has its message at the customer."""
        said = {}
        stop = threading.Event()

        def send(thread):
            number = 0
            while not stop.is_set():
                number += 1
                identity = "t%dn%d" % (thread, number)
                try:
                    said[identity] = self.appliance.send(
                        mails.plain(identity, b"x\n", identity=identity), timeout=10)[0]
                except (OSError, EOFError, AssertionError):
                    said[identity] = 0
                    stop.wait(0.05)

        senders = [threading.Thread(target=send, args=(number,)) for number in range(10)]
        for sender in senders:
            sender.start()
        try:
            for _ in range(3):
                time.sleep(0.7)
                for child in self.appliance.scanner_keepers():
                    child.signal(signal.SIGKILL)
                time.sleep(0.7)
                self.appliance.process_of("postern-control").signal(signal.SIGKILL)
                time.sleep(1.5)
        finally:
            stop.set()
            for sender in senders:
                sender.join()
        self.good_again()
        counters = self.appliance.wait_idle(20)
        self.assertEqual(counters["message_started"],
                         sum(counters[name] for name in counters
                             if name.startswith("message_") and name != "message_started"))
        arrived = [taken.message.split(b"Message-ID: <")[1].split(b"@")[0].decode()
                   for taken in self.customer.taken]
        positive = [identity for identity, code in said.items() if code == 250]
        self.assertGreater(len(positive), 10)
        for identity in positive:
            self.assertEqual(arrived.count(identity), 1, identity)
