"""Without descriptors a process waits: it does not turn in circles, does not flood the log, and goes
on where it was when there are some again."""

import os
import pathlib
import resource
import signal
import socket
import time
import unittest

import appliance
import mails
from customers import Customer

WATCH_SECONDS = 2
CORE_SHARE = 0.3  # of one core; who turns in circles takes all of it
LOG_LINES = 100


def ticks(process):
    """CPU time of the main thread: workers look at their port, whatever else happens."""
    with open("/proc/%d/task/%d/stat" % (process.pid, process.pid), "rb") as file:
        fields = file.read().rsplit(b")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


class Descriptors(unittest.TestCase):
    def setUp(self):
        self.customer = Customer()
        self.addCleanup(self.customer.stop)
        self.box = appliance.Appliance(
            [appliance.customer("example", ["example.org"], self.customer.port)])
        self.addCleanup(self.box.stop)
        self.box.start()

    def starve(self, process, meanwhile, descriptors):
        """CPU time of `process`, as a share of a core, while it may open none beyond `descriptors`."""
        before = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (descriptors, before[1]))
        lines = len(self.box.log().splitlines())
        try:
            meanwhile()
            began, used = time.monotonic(), ticks(process)
            time.sleep(WATCH_SECONDS)
            used, took = ticks(process) - used, time.monotonic() - began
        finally:
            resource.prlimit(process.pid, resource.RLIMIT_NOFILE, before)
        lines = len(self.box.log().splitlines()) - lines
        share = used / os.sysconf("SC_CLK_TCK") / took
        print("%s with %d descriptors: %.3f of a core, %d log lines"
              % (process.program, descriptors, share, lines))
        self.assertTrue(process.alive())
        self.assertLess(share, CORE_SHARE)
        self.assertLess(lines, LOG_LINES)

    def recovers(self):
        appliance.wait_for(lambda: self.box.counters()["scanners_ready"] == 2, 20, "two scanners")
        self.assertEqual(self.box.send(mails.plain("there again", b"x\n"))[0], 250)
        self.box.wait_idle()

    def lose_a_keeper(self):
        keeper = self.box.scanner_keepers()[0]
        keeper.signal(signal.SIGKILL)
        appliance.wait_for(lambda: not keeper.alive(), 10, "a keeper's end")

    def test_the_scanner_parent(self):
        """It cannot take the channel of the keeper that follows; and before, while the dataplane has
        offered none yet, it watches more descriptors than it may have."""
        parent = self.box.process_of("postern-scanner")
        dataplane = self.box.process_of("postern-dataplane")

        def while_nobody_offers():
            dataplane.signal(signal.SIGSTOP)
            self.lose_a_keeper()
        try:
            self.starve(parent, while_nobody_offers, 3)
        finally:
            dataplane.signal(signal.SIGCONT)
        self.recovers()
        self.starve(parent, self.lose_a_keeper, 3)
        self.recovers()

    def test_the_dataplane(self):
        """It can neither make that channel, nor accept whoever connects."""
        path = pathlib.Path(self.box.config["runtime_directory"]) / "dataplane.sock"
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stranger:
            def meanwhile():
                stranger.connect(str(path))
                self.lose_a_keeper()
            self.starve(self.box.process_of("postern-dataplane"), meanwhile, 3)
            self.recovers()
            stranger.settimeout(20)
            stranger.send(b"no hello")
            self.assertEqual(stranger.recv(1), b"")  # heard, and dropped for it


if __name__ == "__main__":
    unittest.main()
