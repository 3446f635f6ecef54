"""The demonstration behind platform/quickstart: makes a network namespace, a signature database, a
customer's mail server and a configuration; starts the whole appliance (`postern run`) on a TAP port
in that namespace; sends a set of messages from inside it and prints what became of each. Then it
stays up for the operator's own tries, until Ctrl-C; with --once it ends, with exit code 0 only if
every result was the expected one.

Everything it makes is taken away again: the appliance by its process id, the namespace, the run-time
directory. What a killed demonstration left behind is recognised by the lock and cleaned up first.
"""

import argparse
import ctypes
import fcntl
import hashlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import mails  # noqa: E402
from customer import CustomerServer  # noqa: E402

NAMESPACE = "postern-quickstart"
INTERFACE = "postern0"
APPLIANCE = "198.18.0.2"
NEIGHBOUR = "198.18.0.1"
PREFIX = 24
HOME = pathlib.Path("/run/postern-quickstart")
SENDER = "sender@example.net"
RECIPIENT = "alice@example.org"
START_SECONDS = 180  # with the official signatures, loading them takes most of it
STOP_SECONDS = 20
PR_SET_PDEATHSIG = 1

CONFIGURATION = """\
# Written by platform/quickstart; gone when it ends.
hostname: mx1.example.org
runtime_directory: {home}/run
state_directory: {home}/state
ports:
  - kind: tap
    interface: {interface}
    namespace: {namespace}
    address: {appliance}/{prefix}
memory:
  hugepages: auto
scanner:
  database: {home}/signatures
customers:
  - name: example
    domains: [example.org]
    route: {{host: 127.0.0.1, port: {port}}}
"""


class DemonstrationError(Exception):
    """Something outside the demonstration's hands; its text is for the operator."""


def run(*command, check=True, **options):
    result = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if check and result.returncode != 0:
        raise DemonstrationError("%s: %s" % (" ".join(command), result.stderr.strip()))
    return result


def process_started(pid):
    """When a process began, in the kernel's ticks, or None when there is none: with the process id
    this names one process for ever."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as file:
            fields = file.read().rsplit(b")", 1)[1].split()
            return None if fields[0] == b"Z" else int(fields[19])
    except OSError:
        return None


def end_process(pid, started):
    """TERM, a while to drain, then KILL: only the process that was meant."""
    for number, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, 5)):
        if process_started(pid) != started:
            return
        os.kill(pid, number)
        until = time.monotonic() + seconds
        while time.monotonic() < until and process_started(pid) == started:
            time.sleep(0.05)


class Demonstration:
    def __init__(self, build):
        self.build = pathlib.Path(build).resolve()
        self.lock = None
        self.appliance = None
        self.customer = CustomerServer()
        self.log_path = HOME / "appliance.log"

    # Coming up.

    def take_lock(self):
        HOME.mkdir(mode=0o755, exist_ok=True)
        self.lock = open(HOME / "lock", "a+")  # noqa: SIM115 (held until the end)
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.lock.seek(0)
            holder = self.lock.read().strip() or "unknown"
            self.lock.close()
            self.lock = None
            raise DemonstrationError("already running (process %s); end that one first" % holder)
        self.lock.truncate(0)
        self.lock.write("%d\n" % os.getpid())
        self.lock.flush()

    def clear_leftovers(self):
        """Of a demonstration that was killed. We hold the lock, so whatever is there is stale."""
        try:
            pid, started = map(int, (HOME / "appliance.pid").read_text().split())
            end_process(pid, started)
        except (OSError, ValueError):
            pass
        if pathlib.Path("/run/netns", NAMESPACE).exists():
            run("ip", "netns", "delete", NAMESPACE)
        for entry in HOME.iterdir():
            if entry.name == "lock":
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def make_namespace(self):
        run("ip", "netns", "add", NAMESPACE)
        run("ip", "-n", NAMESPACE, "link", "set", "lo", "up")

    def make_signatures(self):
        """Ours for the EICAR test file, and the official ones where the machine has them."""
        folder = HOME / "signatures"
        folder.mkdir(mode=0o755)
        (folder / "demonstration.ndb").write_text(
            mails.eicar_signature("Postern.EICAR"))
        official = []
        for suffix in ("cvd", "cld"):
            official += sorted(pathlib.Path("/var/lib/clamav").glob("*." + suffix))
        for path in official:
            (folder / path.name).symlink_to(path)
        return len(official)

    def write_configuration(self):
        path = HOME / "postern.yaml"
        path.write_text(CONFIGURATION.format(
            home=HOME, interface=INTERFACE, namespace=NAMESPACE, appliance=APPLIANCE,
            prefix=PREFIX, port=self.customer.port))
        return path

    def start_appliance(self, configuration):
        libc = ctypes.CDLL(None, use_errno=True)

        def end_with_us():
            # If this demonstration is killed outright, the appliance still gets to drain.
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)

        with open(self.log_path, "wb") as log:
            self.appliance = subprocess.Popen(
                [self.build / "postern", "run", "-c", configuration], stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
                preexec_fn=end_with_us)
        (HOME / "appliance.pid").write_text(
            "%d %d\n" % (self.appliance.pid, process_started(self.appliance.pid) or 0))
        until = time.monotonic() + START_SECONDS
        while b"postern: ready" not in self.log_path.read_bytes():
            if self.appliance.poll() is not None:
                raise DemonstrationError(
                    "the appliance ended with exit code %d:\n%s" %
                    (self.appliance.returncode, self.log_tail()))
            if time.monotonic() > until:
                raise DemonstrationError("the appliance was not ready after %d s:\n%s" %
                                         (START_SECONDS, self.log_tail()))
            time.sleep(0.1)

    def log_tail(self):
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-20:])

    def connect_neighbour(self):
        run("ip", "-n", NAMESPACE, "address", "replace", "%s/%d" % (NEIGHBOUR, PREFIX), "dev",
            INTERFACE)
        run("ip", "-n", NAMESPACE, "link", "set", INTERFACE, "up")

    # The messages.

    @staticmethod
    def demonstration_set():
        """(name, whole message, expected: None = delivered, else what the refusal contains)."""
        found = "554 5.7.1 and the signature's name"
        eicar = mails.eicar()
        html = (b"<html><body><p>Two files are <b>attached</b>.</p></body></html>\n")
        return [
            ("clean text", mails.plain("clean text", b"Nothing to see here.\n.leading dot\n",
                                       identity="d1"), None),
            ("clean HTML, PNG and PDF attached", mails.multipart("clean HTML", [
                ("text/html; charset=us-ascii", "7bit", None, html),
                ("image/png", "base64", "picture.png", mails.png()),
                ("application/pdf", "base64", "paper.pdf", mails.pdf()),
            ], identity="d2"), None),
            ("8-bit body", mails.plain("8-bit body", "Grüße aus Zürich, naïve café\n".encode(),
                                       "8bit", "utf-8", identity="d3"), None),
            ("EICAR in the body", mails.plain("EICAR", eicar + b"\n", identity="d4"), found),
            ("EICAR attached (base64)", mails.attachment("EICAR base64", "eicar.com", eicar,
                                                         identity="d5"), found),
            ("EICAR in a zip", mails.attachment("EICAR zip", "eicar.zip",
                                                mails.zip_of("eicar.com", eicar),
                                                "application/zip", identity="d6"), found),
        ]

    def send(self, message):
        result = subprocess.run(
            ["ip", "netns", "exec", NAMESPACE, "/usr/bin/python3",
             pathlib.Path(__file__).resolve().parent / "sender.py", APPLIANCE, "25", SENDER,
             RECIPIENT], input=message, capture_output=True, timeout=120, check=False)
        return (result.stdout + result.stderr).decode("utf-8", "replace").strip()

    def demonstrate(self):
        """Sends the set, prints the table; true when everything was as expected."""
        rows = []
        good = True
        for name, message, refusal in self.demonstration_set():
            before = len(self.customer.deliveries)
            got = self.send(message)
            deliveries = self.customer.deliveries[before:]
            if refusal is None:
                identical = (len(deliveries) == 1 and bool(deliveries[0].fields) and
                             deliveries[0].sha256 == hashlib.sha256(message).hexdigest())
                as_expected = got.startswith("250 ") and identical
                body = "yes" if identical else "NO" if deliveries else "NOT DELIVERED"
            else:
                as_expected = (got.startswith("554 5.7.1 ") and "Postern.EICAR" in got and
                               not deliveries)
                body = "DELIVERED" if deliveries else "not delivered"
            good = good and as_expected
            rows.append((name, "250" if refusal is None else refusal, got, body,
                         "ok" if as_expected else "WRONG"))
        print_table(("message", "expected", "got", "delivered identical", ""), rows)
        return good

    # Going down.

    def stop(self):
        if self.appliance is not None and self.appliance.poll() is None:
            self.appliance.terminate()
            try:
                self.appliance.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.appliance.kill()
                self.appliance.wait()
        if self.lock is None:
            return
        self.customer.stop()
        if pathlib.Path("/run/netns", NAMESPACE).exists():
            run("ip", "netns", "delete", NAMESPACE, check=False)
        shutil.rmtree(HOME, ignore_errors=True)
        self.lock.close()


def print_table(titles, rows):
    widths = [max(len(row[column]) for row in [titles] + rows) for column in range(len(titles))]
    widths[2] = min(widths[2], 76)
    for row in [titles, tuple("-" * width for width in widths)] + rows:
        cells = [cell if len(cell) <= width else cell[:width - 3] + "..."
                 for cell, width in zip(row, widths)]
        print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip())
    sys.stdout.flush()


def print_own_tries(demonstration):
    inside = "ip netns exec %s" % NAMESPACE
    print("""
The appliance stays up; Ctrl-C ends it. From another terminal, as root:

  %(inside)s swaks --server %(address)s --from %(sender)s --to %(recipient)s
  %(inside)s smtp-source -c -s 50 -m 1000 -l 4000 -f %(sender)s -t %(recipient)s %(address)s:25
  %(inside)s ping -c 3 %(address)s
  %(build)s/postern status -c %(home)s/postern.yaml
  %(build)s/postern scan --database %(home)s/signatures FILE...
  tail -f %(log)s

Mail to any address at example.org is taken; the customer's server behind is part of this program.
""" % {"inside": inside, "address": APPLIANCE, "sender": SENDER, "recipient": RECIPIENT,
       "build": demonstration.build, "home": HOME, "log": demonstration.log_path})
    sys.stdout.flush()


def stay(demonstration):
    reported = len(demonstration.customer.deliveries)
    while True:
        time.sleep(1)
        if demonstration.appliance.poll() is not None:
            raise DemonstrationError("the appliance ended:\n" + demonstration.log_tail())
        delivered = len(demonstration.customer.deliveries)
        if delivered != reported:
            print("delivered to the customer's server: %d more, %d in all" %
                  (delivered - reported, delivered), flush=True)
            reported = delivered


def main():
    parser = argparse.ArgumentParser(prog="quickstart")
    parser.add_argument("--build", required=True)
    parser.add_argument("--once", action="store_true")
    arguments = parser.parse_args()

    def interrupted(*_):
        raise KeyboardInterrupt

    # Explicitly: a shell that starts us in the background has SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGHUP, interrupted)
    demonstration = Demonstration(arguments.build)
    try:
        demonstration.take_lock()
        demonstration.clear_leftovers()
        demonstration.make_namespace()
        official = demonstration.make_signatures()
        demonstration.customer.start()
        configuration = demonstration.write_configuration()
        print("quickstart: starting the appliance on %s (TAP %s in network namespace %s); "
              "signatures: our own for EICAR%s" %
              (APPLIANCE, INTERFACE, NAMESPACE,
               " and %d official databases" % official if official else ""), flush=True)
        demonstration.start_appliance(configuration)
        demonstration.connect_neighbour()
        print()
        good = demonstration.demonstrate()
        if not good:
            print("\nquickstart: NOT as expected; the appliance's last words:\n" +
                  demonstration.log_tail(), file=sys.stderr)
        if not arguments.once:
            print_own_tries(demonstration)
            stay(demonstration)
        return 0 if good else 1
    except KeyboardInterrupt:
        print("\nquickstart: ending")
        return 0 if not arguments.once else 1
    except (DemonstrationError, OSError, subprocess.TimeoutExpired) as error:
        print("quickstart: %s" % error, file=sys.stderr)
        return 1
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        demonstration.stop()


if __name__ == "__main__":
    sys.exit(main())
