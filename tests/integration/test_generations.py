"""Generations of scanners: a second parent beside the one that serves, and the change from one to
the other, while mail flows. Whose verdict a message has is read from what the customer got.
"""

import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "links"))

import appliance  # noqa: E402
import bed  # noqa: E402
import mails  # noqa: E402
from customers import Customer  # noqa: E402

SCANNED = re.compile(rb"^X-Virus-Scanned: .*\(ClamAV [^/]*/(\d+)\)", re.M)


def signatures(folder, count):
    """A database of `count` signatures: the engine's name ends with the count."""
    folder.mkdir(mode=0o755, exist_ok=True)
    (folder / "test.ndb").write_text("".join(
        mails.eicar_signature("Postern.Test.Generation%d" % number) for number in range(count)))
    return folder


class Flow:
    """Mail after mail from the background; what was answered is in `codes`."""

    def __init__(self, box):
        self.box = box
        self.codes = []
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        message = mails.plain("message", b"x\n")
        while not self.ending.is_set():
            self.codes.append(self.box.send(message)[0])

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join(60)


class Generations(unittest.TestCase):
    def setUp(self):
        self.customer = Customer()
        self.addCleanup(self.customer.stop)
        self.box = appliance.Appliance(
            [appliance.customer("example", ["example.org"], self.customer.port)],
            {"scanner": {"processes": 1}})
        self.addCleanup(self.box.stop)
        self.box.config["scanner"]["database"] = str(signatures(self.box.home / "first", 1))
        self.box.write_config()
        self.box.start()

    def generations(self):
        """How many signatures the scanners had, of each message the customer got."""
        return [int(SCANNED.search(taken.content).group(1)) for taken in list(self.customer.taken)]

    def wait_more(self, count, of):
        before = self.generations().count(of)
        appliance.wait_for(lambda: self.generations().count(of) >= before + count, 30,
                           "%d messages more by the scanners with %d signatures" % (count, of))

    def candidate(self):
        config = appliance.merge(self.box.config, {
            "scanner": {"database": str(signatures(self.box.home / "second", 2))}})
        lines, _ = appliance.yaml_lines(config)
        path = self.box.home / "candidate.yaml"
        path.write_text("\n".join(lines) + "\n")
        with open(self.box.log_path, "ab") as log:
            process = subprocess.Popen([appliance.BUILD / "postern-scanner", "--candidate", "-c", path],
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        def end():
            process.terminate()
            process.wait(20)
        self.addCleanup(end)
        return process

    def test_candidate_beside_the_one_that_serves(self):
        """It is loaded and ready, and no message goes there; when the other ends, it serves, and
        nothing is lost."""
        serving = self.box.process_of("postern-scanner")
        with Flow(self.box) as flow:
            self.candidate()
            appliance.wait_for(lambda: self.box.counters()["scanners_candidate"] == 1, 30,
                               "a candidate in the status")
            self.assertEqual(self.box.counters()["scanners_ready"], 1)
            self.wait_more(20, 1)
            self.assertEqual(set(self.generations()), {1})
            serving.signal(signal.SIGTERM)
            self.wait_more(20, 2)
        self.assertEqual(set(flow.codes), {250})
        self.assertEqual(len(self.customer.taken), len(flow.codes))
        self.assertIn("candidate scanners serve from now on: 1", self.box.log())
        self.box.wait_idle()

    def reload(self):
        self.box.process.send_signal(signal.SIGHUP)

    def wait_log(self, text):
        appliance.wait_for(lambda: text in self.box.log(), 30, "in the log: " + text)

    def program(self, name):
        """What the status says of it; None when it says nothing."""
        return next((row for row in self.box.status()["programs"] if row["program"] == name), None)

    def test_new_signatures(self):
        """HUP with a changed database: new scanners load it beside the old ones, then take over."""
        old = self.box.process_of("postern-scanner")
        with Flow(self.box) as flow:
            self.wait_more(5, 1)
            signatures(self.box.home / "first", 2)
            self.reload()
            self.wait_log("the new signatures are in use")
            self.wait_more(20, 2)
        self.assertEqual(set(flow.codes), {250})
        self.assertEqual(len(self.customer.taken), len(flow.codes))
        appliance.wait_for(lambda: not old.alive(), 10, "the old scanners' end")
        self.assertEqual(self.box.process_of("postern-scanner").parent, self.box.process.pid)
        self.assertEqual(self.program("postern-scanner")["restarts"], 0)
        self.reload()  # nothing has changed: nobody is started
        self.send_some()
        self.assertEqual(self.box.log().count("the signatures have changed"), 1)
        # The new ones are kept running as the old ones were.
        self.box.process_of("postern-scanner").signal(signal.SIGKILL)
        appliance.wait_for(lambda: self.program("postern-scanner")["restarts"] == 1, 10, "a restart")
        self.box.wait_idle()

    def test_old_scanners_finish_what_they_have(self):
        """A message that is being scanned when the new signatures come into use keeps its scanner:
        it is scanned once, and the old scanners end after it."""
        old = self.box.process_of("postern-scanner")
        child, = self.box.scanner_children()
        child.signal(signal.SIGSTOP)  # so that it has the message for as long as we like
        jobs = self.box.counters()["scan_jobs"]
        codes = []
        sender = threading.Thread(target=lambda: codes.append(
            self.box.send(mails.plain("message", b"x\n"))[0]))
        sender.start()
        appliance.wait_for(lambda: self.box.counters()["scan_jobs"] > jobs, 10, "scanning")
        signatures(self.box.home / "first", 2)
        self.reload()
        self.wait_log("the new signatures are in use")
        self.send_some()
        self.assertEqual(set(self.generations()), {2})
        self.assertTrue(old.alive() and child.alive())
        child.signal(signal.SIGCONT)
        sender.join(60)
        self.assertEqual(codes, [250])
        self.assertEqual(self.generations().count(1), 1)
        appliance.wait_for(lambda: not old.alive(), 10, "the old scanners' end")
        self.assertEqual(self.box.wait_idle()["scan_retries"], 0)
        bed.check_books(self.box)

    def send_some(self):
        for _ in range(5):
            self.assertEqual(self.box.send(mails.plain("message", b"x\n"))[0], 250)

    def test_broken_signatures(self):
        """HUP with a database that cannot be loaded: the old one stays in use, and it is said."""
        first = self.box.home / "first"
        with Flow(self.box) as flow:
            (first / "test.ndb").write_text("this is no signature\n")
            self.reload()
            self.wait_log("the new signatures cannot be used")
            self.wait_more(10, 1)
        self.assertEqual(set(flow.codes), {250})
        self.assertEqual(set(self.generations()), {1})
        self.assertEqual(self.program("new scanners")["state"], "ended")
        self.assertIn("78", self.program("new scanners")["last_end"])
        signatures(first, 2)  # mended: the next reload takes it
        self.reload()
        self.wait_log("the new signatures are in use")
        self.send_some()
        self.assertEqual(self.generations()[-1], 2)

    def test_broken_signatures_at_a_later_start(self):
        """The scanners' parent dies and cannot load what is there now: the appliance stays up, says
        so, and scans again when the database is mended."""
        first = self.box.home / "first"
        (first / "test.ndb").write_text("this is no signature\n")
        self.box.process_of("postern-scanner").signal(signal.SIGKILL)
        appliance.wait_for(lambda: "78" in self.program("postern-scanner")["last_end"], 20,
                           "an exit code 78 in the status")
        self.wait_log("postern-scanner ended with exit code 78 (bad configuration or database)")
        time.sleep(1)
        self.assertIsNone(self.box.process.poll())
        self.assertEqual(self.program("postern-dataplane")["restarts"], 0)
        signatures(first, 2)
        appliance.wait_for(lambda: self.box.counters()["scanners_ready"] == 1, 20, "a scanner")
        self.send_some()
        self.assertEqual(self.generations()[-1], 2)

    def test_prefilter_waits_for_the_scanners(self):
        """The prefilter for new signatures is not used before the scanners have them: the one in
        force goes on settling mail meanwhile, and the new one does afterwards."""
        self.box.stop()
        box = appliance.Appliance(self.box.config["customers"],
                                  {"scanner": {"processes": 1}, "prefilter": {"use": "yes"}})
        self.addCleanup(box.stop)
        database = box.home / "signatures"
        box.start()
        box.wait_prefilter()
        message = mails.plain("message", b"x\n")

        def settled(count):
            before = box.counters()["prefilter_settled"]
            for _ in range(count):
                self.assertEqual(box.send(message)[0], 250)
            return box.counters()["prefilter_settled"] - before

        self.assertEqual(settled(3), 3)
        signatures(database, 2)
        # By hand and without a reload: the scanners do not follow yet.
        built = appliance.postern("signatures", "build", "--quiet", "--database", database,
                                  "--output", box.home / "state" / "bundles" / "prefilter")
        self.assertEqual(built.returncode, 0, built.stderr)
        appliance.wait_for(lambda: "that the scanners do not have yet" in box.log(), 10, "a wait")
        self.assertEqual(settled(3), 3)
        box.process.send_signal(signal.SIGHUP)
        appliance.wait_for(lambda: "the new signatures are in use" in box.log(), 20, "a change")
        appliance.wait_for(lambda: box.log().count("/bundles/prefilter in use: ") == 2, 20, "the new prefilter")
        appliance.wait_for(lambda: settled(1) == 1, 20, "mail settled by it")

    def test_term_while_starting(self):
        """TERM before the memory is there ends the dataplane, and with it the run, at once."""
        self.box.stop()
        for delay in 0, 0.05, 0.2:
            box = appliance.Appliance(self.box.config["customers"])
            self.addCleanup(box.stop)
            box.launch()
            appliance.wait_for(lambda: box.processes("postern-dataplane"), 10, "a dataplane")
            time.sleep(delay)
            before = time.monotonic()
            box.process.send_signal(signal.SIGTERM)
            self.assertEqual(box.process.wait(20), 0)
            self.assertLess(time.monotonic() - before, 3)


if __name__ == "__main__":
    unittest.main()
