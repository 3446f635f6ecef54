"""A whole appliance for a test: `postern run` with a configuration made for it, on a TAP port whose
kernel side lies in a network namespace of its own. Nothing is shared between two of them: namespace,
interface, run-time directory and ports have names of their own, so a test can neither see nor harm
another, nor anything else on the machine.
"""

import ctypes
import ipaddress
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "platform" / "demo"))

import mails  # noqa: E402
from session import Session, socket_in  # noqa: E402

BUILD = pathlib.Path(os.environ.get("POSTERN_BUILD", TOP / "build")).resolve()
LOGS = pathlib.Path(os.environ.get("POSTERN_TEST_LOGS", tempfile.gettempdir()))
SHARED = TOP.parent / "shared"
DATA = SHARED / "data"

ADDRESS = "198.18.0.2"
NEIGHBOUR = "198.18.0.1"
START_SECONDS = 30
STOP_SECONDS = 20
EICAR_NAME = "Postern.Test.EICAR"

_numbers = itertools.count(1)
_libc = ctypes.CDLL(None, use_errno=True)


def yaml_lines(value, indent=0, path=(), lines=None, places=None):
    """Block YAML of nested dicts, lists and scalars. `places` gets {path: line number from 1}."""
    lines = [] if lines is None else lines
    places = {} if places is None else places
    pad = " " * indent
    if isinstance(value, dict):
        for key, item in value.items():
            here = path + (key,)
            places[here] = len(lines) + 1
            if isinstance(item, (dict, list)) and item:
                lines.append("%s%s:" % (pad, key))
                yaml_lines(item, indent + 2, here, lines, places)
            else:
                lines.append("%s%s: %s" % (pad, key, _scalar(item)))
    else:
        for number, item in enumerate(value):
            here = path + (number,)
            start = len(lines)
            places[here] = start + 1
            if isinstance(item, (dict, list)):
                yaml_lines(item, indent + 2, here, lines, places)
                lines[start] = pad + "- " + lines[start][indent + 2:]
            else:
                lines.append("%s- %s" % (pad, _scalar(item)))
    return lines, places


def _scalar(value):
    if value is None:
        return ""
    if isinstance(value, (list, dict)):
        return json.dumps(value)
    if isinstance(value, str) and (value == "" or re.search(r"[:#{}\[\],&*!|>'\"%@` ]", value)):
        return json.dumps(value)
    return str(value)


def merge(base, changes):
    """`base` with `changes` laid over it, dict by dict; None takes a key away."""
    result = dict(base)
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merge(result[key], value)
        else:
            result[key] = value
    return result


def customer(name, domains, port, **changes):
    """One entry of `customers:` that routes to `port` at 127.0.0.1."""
    route = {"host": "127.0.0.1", "port": port}
    route.update(changes.pop("route", {}))
    entry = {"name": name, "domains": domains}
    entry.update(changes)
    entry["route"] = route
    return entry


def command(*arguments, **options):
    """Runs a program to its end; never raises for its exit code."""
    options.setdefault("timeout", 60)
    return subprocess.run([str(argument) for argument in arguments], capture_output=True,
                          text=True, check=False, **options)


def postern(*arguments, **options):
    return command(BUILD / "postern", *arguments, **options)


def wait_for(condition, seconds, what):
    """Calls `condition` until it gives something true; returns that, or fails."""
    until = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError("after %g s still not: %s" % (seconds, what))
        time.sleep(0.02)


class Process:
    """One process of the appliance, named so that it cannot be mistaken for a later one."""

    def __init__(self, pid):
        self.pid = pid
        fields = self._stat()
        if fields is None:
            raise ProcessLookupError(pid)
        self.parent = int(fields[1])
        self.started = int(fields[19])
        self.program = os.path.basename(os.readlink("/proc/%d/exe" % pid)).split(" ")[0]

    def _stat(self):
        try:
            with open("/proc/%d/stat" % self.pid, "rb") as file:
                return file.read().rsplit(b")", 1)[1].split()
        except OSError:
            return None

    def alive(self):
        fields = self._stat()
        return fields is not None and fields[0] != b"Z" and int(fields[19]) == self.started

    def ticks(self):
        """CPU time used, in the kernel's ticks."""
        fields = self._stat()
        return 0 if fields is None else int(fields[11]) + int(fields[12])

    def signal(self, number):
        if self.alive():
            os.kill(self.pid, number)


class Appliance:
    """Use as a context manager, or start() and stop(). `customers` is a list of customer() entries;
    `changes` is laid over the base configuration."""

    def __init__(self, customers, changes=None, database=None):
        number = next(_numbers)
        identity = "%d-%d" % (os.getpid(), number)
        self.namespace = "postern-test-" + identity
        self.interface = ("pt%dn%d" % (os.getpid(), number))[:15]
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="postern-test-%s-" % identity))
        self.home.chmod(0o755)
        self.config_path = self.home / "postern.yaml"
        self.log_path = self.home / "appliance.log"
        self.process = None
        self.failed = False
        if database is None:
            database = self.home / "signatures"
            database.mkdir(mode=0o755)
            (database / "test.ndb").write_text(mails.eicar_signature(EICAR_NAME))
        self.config = merge({
            "hostname": "mx1.example.org",
            "runtime_directory": str(self.home / "run"),
            "state_directory": str(self.home / "state"),
            "ports": [{"kind": "tap", "interface": self.interface, "namespace": self.namespace,
                       "address": ADDRESS + "/24"}],
            "cores": {"idle": "adaptive"},
            "memory": {"hugepages": "auto"},
            "scanner": {"database": str(database), "processes": 2},
            # Most tests are about what happens on the way to a scanner: test_prefilter.py is not.
            "prefilter": {"use": "no"},
            "customers": customers,
        }, changes or {})
        self.write_config()
        ip("netns", "add", self.namespace)
        ip("-n", self.namespace, "link", "set", "lo", "up")

    def write_config(self):
        lines, _ = yaml_lines(self.config)
        self.config_path.write_text("\n".join(lines) + "\n")

    # Life.

    def launch(self):
        """Starts `postern run` and does not wait for it."""
        def end_with_test():
            _libc.prctl(1, signal.SIGKILL, 0, 0, 0)

        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [BUILD / "postern", "run", "-c", self.config_path], stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
                preexec_fn=end_with_test)

    def start(self):
        self.launch()

        def ready():
            if self.process.poll() is not None:
                raise AssertionError("postern run ended with exit code %d:\n" %
                                     self.process.returncode)
            return "postern: ready" in self.log()

        try:
            wait_for(ready, START_SECONDS, "ready; its log:\n")
            self.connect_neighbour()
        except AssertionError as error:
            self.failed = True
            log = self.log()
            self.stop()
            raise AssertionError("%s%s" % (error, log)) from None
        return self

    def connect_neighbour(self):
        """The kernel side of the TAP port: an address, and up. Again after the dataplane died."""
        prefix = ipaddress.ip_interface(self.config["ports"][0]["address"]).network.prefixlen

        def configured():
            result = ip("-n", self.namespace, "address", "replace",
                        "%s/%d" % (NEIGHBOUR, prefix), "dev", self.interface, check=False)
            return result.returncode == 0
        wait_for(configured, 10, "interface %s in %s" % (self.interface, self.namespace))
        ip("-n", self.namespace, "link", "set", self.interface, "up")

    def terminate(self, seconds=STOP_SECONDS):
        """TERM; the exit code."""
        self.process.terminate()
        return self.process.wait(seconds)

    def stop(self):
        """Ends everything by process id, whatever state it is in, and takes all traces away."""
        leftover = []
        if self.process is not None:
            leftover = self.processes()
            if self.process.poll() is None:
                self.process.terminate()
                try:
                    self.process.wait(STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    self.failed = True
                    self.process.kill()
                    self.process.wait()
            time.sleep(0.05)
            for process in leftover:
                process.signal(signal.SIGKILL)
        if self.log_path.exists():
            LOGS.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.log_path, LOGS / (self.namespace + ".log"))
        ip("netns", "delete", self.namespace, check=False)
        shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    # What it is made of.

    def processes(self, program=None):
        """Its processes below `postern run`, of one program or all."""
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    found.append(Process(int(entry)))
                except (OSError, ValueError, IndexError):
                    pass
        wanted = {self.process.pid}
        size = 0
        while size != len(wanted):
            size = len(wanted)
            wanted |= {process.pid for process in found if process.parent in wanted}
        wanted.discard(self.process.pid)
        return [process for process in found
                if process.pid in wanted and (program is None or process.program == program)]

    def process_of(self, program):
        """The one process of `program` that `postern run` itself started."""
        found = [process for process in self.processes(program)
                 if process.parent == self.process.pid]
        if len(found) != 1:
            raise AssertionError("%d processes of %s" % (len(found), program))
        return found[0]

    def scanner_keepers(self):
        """One for each of scanner.processes, each with a child that waits for a message or has one."""
        parent = self.process_of("postern-scanner")
        return [process for process in self.processes("postern-scanner")
                if process.parent == parent.pid]

    def scanner_children(self):
        keepers = {process.pid for process in self.scanner_keepers()}
        return [process for process in self.processes("postern-scanner")
                if process.parent in keepers]

    # What it says.

    def log(self):
        try:
            return self.log_path.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def log_records(self):
        """The lines a message has left, as dicts with "id" beside the keys of the line."""
        records = []
        for line in self.log().splitlines():
            match = re.search(r"postern/smtpd\[[^]]*\]: ([0-9A-F]+): (client=.*)$", line)
            if match:
                record = {"id": match.group(1)}
                for part in re.split(r", (?=[a-z_]+=)", match.group(2)):
                    key, value = part.split("=", 1)
                    record[key] = value
                records.append(record)
        return records

    def status(self):
        result = postern("status", "-c", self.config_path, "--json")
        if result.returncode != 0:
            raise AssertionError("postern status: %d: %s" % (result.returncode, result.stderr))
        return json.loads(result.stdout)

    def counters(self):
        """Summed over the workers."""
        return self.status()["counters"]

    def wait_idle(self, seconds=10):
        """Waits until no message is in progress and every block is back; returns the counters."""
        last = {}

        def idle():
            last.update(self.counters())
            return (last["messages_in_progress"] == 0 and
                    last["blocks_free"] == last["blocks_total"] and last["blocks_total"] > 0)
        try:
            wait_for(idle, seconds, "idle")
        except AssertionError:
            raise AssertionError("leak: %d messages in progress, %d of %d blocks free, "
                                 "%d connections open" % (
                                     last["messages_in_progress"], last["blocks_free"],
                                     last["blocks_total"], last["connections_open"])) from None
        return last

    def wait_prefilter(self, seconds=30):
        """Waits until the workers have taken up a prefilter and a message of ours was settled by it;
        returns how many messages that took."""
        for number in range(1, seconds * 10):
            self.send(mails.plain("prefilter?", b"Is it there yet?\n", encoding="8bit"))
            if self.counters()["prefilter_settled"] > 0:
                return number
            time.sleep(0.1)
        raise AssertionError("no prefilter after %d s" % seconds)

    # Talking to it.

    def connect(self, timeout=20, greet=True):
        """A raw SMTP dialogue from inside the namespace."""
        session = Session(socket_in(self.namespace), timeout)
        session.connect((ADDRESS, 25))
        if greet:
            code, text = session.reply()
            if code != 220:
                raise AssertionError("greeting %d %s" % (code, text))
        return session

    def send(self, message, sender="sender@example.net", recipients=("alice@example.org",),
             timeout=60):
        """One message over a connection of its own; (code, text) of its end, or of what was
        refused."""
        session = self.connect(timeout)
        try:
            session.ehlo()
            return session.send(message, sender, recipients)
        finally:
            session.close()

    def inside(self, *arguments, **options):
        """Runs a program inside the namespace."""
        return command("ip", "netns", "exec", self.namespace, *arguments, **options)


def ip(*arguments, check=True):
    result = command("ip", *arguments)
    if check and result.returncode != 0:
        raise AssertionError("ip %s: %s" % (" ".join(arguments), result.stderr.strip()))
    return result


def in_threads(count, function):
    """Calls function(number) in `count` threads at once; a list of what they gave back."""
    results = [None] * count
    errors = []

    def work(number):
        try:
            results[number] = function(number)
        except BaseException as error:  # noqa: BLE001 (handed on below)
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results
