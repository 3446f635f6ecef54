"""Generations of scanners: a second parent beside the one that serves, and the change from one to
the other, while mail flows. Whose verdict a message has is read from what the customer got.
"""

import re
import signal
import subprocess
import threading
import unittest

import appliance
import mails
from customers import Customer

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


if __name__ == "__main__":
    unittest.main()
