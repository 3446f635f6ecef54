"""Links for TCP tests: an appliance whose client sits behind something that is not a clean wire.

The namespaces of a Bed, each made for it and taken away with it:

    client             an address of a kernel; test programs run here
    middle             what joins client and port: nothing, a bridge with nftables, or a relay
    port (AF_PACKET)   one end of a veth pair, the appliance's

With kind "tap" the kernel side of the TAP port lies in `middle` itself; joined by "direct" that is
the client's namespace too.
"""

import base64
import fnmatch
import hashlib
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import threading
import time

import appliance
import mails
from session import Session, socket_in

ADDRESS6 = "2001:db8:1::2"
NEIGHBOUR6 = "2001:db8:1::1"
NIGHT = os.environ.get("POSTERN_TEST_NIGHT", "") not in ("", "0")
PROGRAMS = appliance.BUILD / "tests" / "integration" / "links"


class Bed(appliance.Appliance):
    """`kind`: tap, af_packet. `joined`: direct, bridge, relay. `relay`: its arguments as a dict."""

    def __init__(self, customers, changes=None, kind="tap", joined="direct", mtu=1500, relay=None,
                 port=None, prefix=24, kernel6=True, offloads=False):
        super().__init__(customers, changes)
        self.kind = kind
        self.joined = joined
        self.mtu = mtu
        self.prefix = prefix
        self.offloads = offloads
        self.kernel6 = kernel6  # False: the client's kernel says nothing by itself
        self.relay_arguments = relay or {}
        self.relay = None
        self.namespaces = []
        self.middle = self.namespace
        self.port_namespace = self.namespace
        self.client = self.namespace
        self.client_interface = self.interface
        entry = dict({"kind": kind, "interface": self.interface, "namespace": self.namespace,
                      "address": "%s/%d" % (appliance.ADDRESS, prefix),
                      "address6": ADDRESS6 + "/64", "mtu": mtu}, **(port or {}))
        self.config["ports"] = [entry]
        try:
            self._join()
        except BaseException:
            self.stop()
            raise
        entry["interface"] = self.interface
        entry["namespace"] = self.port_namespace
        self.write_config()

    def add_namespace(self, suffix):
        name = self.namespace + suffix
        appliance.ip("netns", "add", name)
        self.namespaces.append(name)
        self.quiet(name)
        appliance.ip("-n", name, "link", "set", "lo", "up")
        return name

    @staticmethod
    def quiet(namespace, default=1):
        """No IPv6 by itself on the interfaces to come: nobody asked the middle to speak."""
        appliance.command("ip", "netns", "exec", namespace, "sysctl", "-qw",
                          "net.ipv6.conf.default.disable_ipv6=%d" % default,
                          "net.ipv6.conf.default.accept_dad=0")

    def _veth(self, one, one_namespace, two, two_namespace):
        appliance.ip("link", "add", one, "netns", one_namespace, "mtu", str(self.mtu), "type",
                     "veth", "peer", "name", two, "netns", two_namespace, "mtu", str(self.mtu))
        appliance.ip("-n", one_namespace, "link", "set", one, "up")
        appliance.ip("-n", two_namespace, "link", "set", two, "up")

    def _join(self):
        if self.kind == "tap" and self.joined == "direct":
            self.quiet(self.namespace, 0 if self.kernel6 else 1)
            return
        self.quiet(self.middle)
        self.client = self.add_namespace("-c")
        self.quiet(self.client, 0)
        self.client_interface = "client"
        if self.kind == "af_packet":
            self.port_namespace = self.add_namespace("-p")
            self.interface = "port"
        if self.joined == "direct":
            self._veth("client", self.client, "port", self.port_namespace)
        else:
            self._veth("client", self.client, "middle0", self.middle)
            if self.kind == "af_packet":
                self._veth("middle1", self.middle, "port", self.port_namespace)
        if not self.offloads:
            # What a veth pair leaves out, a wire has: checksums, and frames no larger than the MTU.
            result = appliance.command("ip", "netns", "exec", self.client, "ethtool", "-K",
                                       "client", "tx", "off", "tso", "off", "gso", "off")
            if result.returncode != 0:
                raise AssertionError("ethtool: " + result.stderr)

    def connect_neighbour(self):
        if self.kind == "tap":
            def there():
                return appliance.ip("-n", self.middle, "link", "show", self.interface,
                                    check=False).returncode == 0
            appliance.wait_for(there, 10, "interface " + self.interface)
            appliance.ip("-n", self.middle, "link", "set", self.interface, "up")
        other = self.interface if self.kind == "tap" else "middle1"
        if self.joined == "bridge":
            appliance.ip("-n", self.middle, "link", "add", "bridge", "type", "bridge",
                         "mcast_snooping", "0", "forward_delay", "0")
            for name in ("middle0", other):
                appliance.ip("-n", self.middle, "link", "set", name, "master", "bridge")
            appliance.ip("-n", self.middle, "link", "set", "bridge", "up")
        elif self.joined == "relay":
            self._start_relay("middle0", other)
        appliance.ip("-n", self.client, "address", "replace",
                     "%s/%d" % (appliance.NEIGHBOUR, self.prefix), "dev", self.client_interface)
        if self.kernel6:
            appliance.ip("-n", self.client, "address", "replace", NEIGHBOUR6 + "/64", "dev",
                         self.client_interface, "nodad")

    def lose(self, per_cent):
        """Random loss both ways, counted by nftables: rules on the bridge's own ports."""
        other = self.interface if self.kind == "tap" else "middle1"
        rules = "table netdev loss {\n" + "".join(
            'chain %s { type filter hook ingress device "%s" priority 0; '
            "numgen random mod 1000 < %d counter drop; counter; }\n" %
            (name, device, int(per_cent * 10)) for name, device in
            (("from_client", "middle0"), ("from_port", other))) + "}\n"
        result = appliance.command("ip", "netns", "exec", self.middle, "nft", "-f", "-",
                                   input=rules)
        if result.returncode != 0:
            raise AssertionError("nft: " + result.stderr)

    def lost(self):
        """{direction: (dropped, passed)} as nftables counted them."""
        result = appliance.command("ip", "netns", "exec", self.middle, "nft", "-j", "list",
                                   "table", "netdev", "loss")
        found = {}
        for item in json.loads(result.stdout)["nftables"]:
            if "rule" in item:
                counts = [part["counter"]["packets"] for part in item["rule"]["expr"]
                          if "counter" in part]
                found.setdefault(item["rule"]["chain"], []).extend(counts)
        return found

    def _start_relay(self, one, two):
        words = ["%s=%s" % pair for pair in self.relay_arguments.items()]
        self.relay = subprocess.Popen(
            ["ip", "netns", "exec", self.middle, str(PROGRAMS / "relay"), *words, one, two],
            stdout=subprocess.PIPE, text=True)
        if self.relay.stdout.readline() != "ready\n":
            raise AssertionError("the relay did not start")

    def stop_relay(self):
        """What it did, as a dict."""
        self.relay.send_signal(signal.SIGTERM)
        said, _ = self.relay.communicate(timeout=10)
        self.relay = None
        return json.loads(said)

    def stop(self):
        if self.relay is not None:
            self.relay.kill()
            self.relay.wait()
            self.relay = None
        super().stop()
        for name in self.namespaces:
            appliance.ip("netns", "delete", name, check=False)

    def session(self, family=4, timeout=60, source=None, address=None):
        """A raw SMTP dialogue from the client, greeted."""
        inet = socket.AF_INET if family == 4 else socket.AF_INET6
        session = Session(socket_in(self.client, inet), timeout)
        if source is not None:
            session.socket.bind((source, 0))
        session.connect((address or (appliance.ADDRESS if family == 4 else ADDRESS6), 25))
        code, text = session.reply()
        if code != 220:
            raise AssertionError("greeting %d %s" % (code, text))
        return session

    def connect(self, timeout=20, greet=True):
        return self.session(4, timeout)

    def inside(self, *arguments, **options):
        return appliance.command("ip", "netns", "exec", self.client, *arguments, **options)


# The books.

def sums(counters, definitions):
    """What must be equal, by the status itself (platform/link/counter_list.h):
    {what: (one side, the other)}."""
    def total(terms):
        terms = terms.split()
        for term in terms:
            if not any(fnmatch.fnmatchcase(name, term) for name in counters):
                raise AssertionError("no counter is %s" % term)
        return sum(value for name, value in counters.items()
                   if any(fnmatch.fnmatchcase(name, term) for term in terms))
    return {what: (total(left), total(right)) for what, (left, right) in definitions.items()}


def differences(status):
    """{what: (one side, the other)} of every sum that does not hold, in a row or between
    processes."""
    rows = [("worker %d" % row["worker"], row, "sums") for row in status["workers"]]
    rows += [("scanner %d" % row["scanner"], row, "scanner_sums") for row in status["scanners"]]
    rows += [("control", status["control_counters"], "control_sums")]
    wrong = {}
    for whose, row, definitions in rows:
        for what, (one, other) in sums(row, status[definitions]).items():
            if one != other:
                wrong["%s of %s" % (what, whose)] = (one, other)
    for what, (workers, others, names) in status["books"].items():
        one = sums(status["counters"], {what: (workers, workers)})[what][0]
        other = sums(status[others + "_counters"], {what: (names, names)})[what][0]
        if one != other:
            wrong["%s: workers and %s" % (what, others)] = (one, other)
    return wrong


def check_books(box, seconds=10):
    """Every sum holds for every worker, scanner and control, and between them (each may lag behind
    the others of its line for a moment: counters are read while they run). Returns the counters
    over all workers."""
    wrong = {}

    def hold():
        status = box.status()
        wrong.clear()
        wrong.update(differences(status))
        return not wrong and status
    try:
        return appliance.wait_for(hold, seconds, "sums")["counters"]
    except AssertionError:
        raise AssertionError("the counters do not add up: %s" % wrong) from None


def start_client(test, box, program, *words):
    """links/PROGRAM in the client's namespace, with pipes as text; ends with the test."""
    process = subprocess.Popen(
        ["ip", "netns", "exec", box.client, sys.executable, "-B",
         pathlib.Path(__file__).parent / program, appliance.ADDRESS, "25", *map(str, words)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def end():
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
    test.addCleanup(end)
    return process


def settled(box, seconds=15):
    """Idle, nothing leaked, and the books in order."""
    box.wait_idle(seconds)
    return check_books(box)


# Messages.

def message(number, size, seed=0):
    """About `size` bytes, all its own, with lines that begin with dots."""
    generator = random.Random(seed * 1000003 + number)
    body = base64.encodebytes(generator.randbytes(max(16, size * 3 // 4 - 300)))
    return mails.plain("message %d" % number, body.replace(b"\nA", b"\n.").replace(b"\nB", b"\n.."),
                       identity="m%d.%d" % (number, seed))


def sizes(count, least=1000, most=1000000, seed=1):
    """Spread evenly over the orders of magnitude, both ends included."""
    generator = random.Random(seed)
    drawn = [int(least * (most / least) ** generator.random()) for _ in range(count - 2)]
    return [least, most] + drawn


class Run:
    """Sends messages over `connections` sessions at once, each session taken for a few messages.
    No reply may take longer than `timeout`; whatever goes wrong is kept in `errors`."""

    def __init__(self, box, wanted, connections=16, family=4, timeout=60, each=5):
        self.box = box
        self.connections = connections
        self.family = family
        self.timeout = timeout
        self.each = each
        self.waiting = list(enumerate(wanted))
        self.waiting.reverse()
        self.digests = {}
        self.seconds = {}
        self.errors = []
        self._lock = threading.Lock()

    def _next(self):
        with self._lock:
            return self.waiting.pop() if self.waiting else None

    def _work(self, _):
        item = self._next()
        while item is not None:
            session = None
            try:
                session = self.box.session(self.family, self.timeout)
                session.ehlo()
                for _ in range(self.each):
                    number, size = item
                    content = message(number, size)
                    began = time.monotonic()
                    code, text = session.send(content)
                    with self._lock:
                        self.seconds[number] = time.monotonic() - began
                        if code == 250:
                            self.digests[number] = hashlib.sha256(content).hexdigest()
                        else:
                            self.errors.append("%d: %d %s" % (number, code, text))
                    item = self._next()
                    if item is None:
                        break
                session.say("QUIT")
            except (OSError, EOFError, AssertionError) as error:
                with self._lock:
                    self.errors.append("%s: %r" % (item, error))
                item = self._next()
            finally:
                if session is not None:
                    session.close()

    def go(self):
        began = time.monotonic()
        appliance.in_threads(self.connections, self._work)
        self.elapsed = time.monotonic() - began
        return self

    def check(self, test, customer):
        """Every message was answered 250 and stands at the customer's server once, unchanged."""
        test.assertEqual(self.errors, [])
        there = sorted(hashlib.sha256(taken.message).hexdigest() for taken in customer.taken)
        test.assertEqual(there, sorted(self.digests.values()))


def percentiles(seconds):
    """(p50, p99, longest) in ms."""
    ordered = sorted(seconds)
    return tuple(round(1000 * ordered[min(len(ordered) - 1, int(len(ordered) * part))], 2)
                 for part in (0.5, 0.99, 1.0))
