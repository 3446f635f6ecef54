"""What is wrong is said in one clear line, with the exit code the manual promises."""

import os
import pathlib
import re
import shutil
import tempfile
import unittest

import appliance
import mails
from customers import Customer

# Each key once, with a value it cannot have.
WRONG = [
    (("version",), 2),
    (("hostname",), "not a host name"),
    (("postmaster",), "@"),
    (("runtime_directory",), "relative/path"),
    (("state_directory",), "relative/path"),
    (("log", "format"), "xml"),
    (("ports", 0, "kind"), "wire"),
    (("ports", 0, "interface"), "a-name-too-long-for-linux"),
    (("ports", 0, "namespace"), "../etc"),
    (("ports", 0, "mac"), "02:00:00:00:00"),
    (("ports", 0, "address"), "198.18.0.300/24"),
    (("ports", 0, "pci_address"), "0000:01:00.0"),  # of a tap port
    (("ports", 0, "address6"), "2001:db8::1::2/64"),
    (("ports", 0, "exception_interface"), "a-name-too-long-for-linux"),
    (("ports", 0, "exception_namespace"), "../etc"),
    (("ports", 0, "smtp_port"), 70000),
    (("ports", 0, "mtu"), 100),
    (("ports", 0, "spreading"), "butter"),
    (("ports", 0, "rx_checksum"), "maybe"),
    (("cores", "main"), "0-1"),
    (("cores", "workers"), "3-1"),
    (("cores", "scanners"), "x"),
    (("cores", "control"), "-1"),
    (("cores", "idle"), "sleepy"),
    (("memory", "hugepages"), "perhaps"),
    (("memory", "messages"), "256Q"),
    (("memory", "packets"), "1K"),
    (("limits", "message_size"), "101M"),
    (("limits", "recipients"), 0),
    (("limits", "connections"), "many"),
    (("limits", "connections_per_client"), 0),
    (("limits", "connections_per_prefix"), 0),
    (("limits", "connection_rate"), 0),
    (("limits", "messages_in_progress"), 1000000),
    (("limits", "bad_commands"), -1),
    (("limits", "invalid_recipients_per_hour"), 0),
    (("limits", "received_fields"), "1.5"),
    (("limits", "window"), "1K"),
    (("limits", "admission_wait"), "2m"),
    (("limits", "command_timeout"), "5 minutes"),
    (("limits", "data_timeout"), "0s"),
    (("limits", "data_rate"), "fast"),
    (("limits", "verdict_timeout"), "1h"),
    (("smtp", "strict_addresses"), "perhaps"),
    (("smtp", "forbidden_commands"), "GET, POST"),
    (("scanner", "processes"), 257),
    (("scanner", "database"), "relative"),
    (("scanner", "user"), "not a user"),
    (("scanner", "time_limit"), "1d"),
    (("scanner", "scan_size"), "5T"),
    (("scanner", "memory"), "1M"),
    (("scanner", "files"), 0),
    (("scanner", "recursion"), 1000),
    (("prefilter", "use"), "perhaps"),
    (("prefilter", "file"), "relative"),
    (("prefilter", "message_size"), "1G"),
    (("prefilter", "inspections"), 1),
    (("prefilter", "cache_size"), "1K"),
    (("control", "user"), "a/b"),
    (("unscannable", "encrypted"), "drop"),
    (("unscannable", "encrypted", "mail"), "drop"),
    (("unscannable", "encrypted", "archive"), "drop"),
    (("unscannable", "encrypted", "document"), "drop"),
    (("unscannable", "failed"), "drop"),
    (("customers", 0, "name"), "with space"),
    (("customers", 0, "domains"), ["not a domain"]),
    (("customers", 0, "recipients"), ["alice@elsewhere.example"]),
    (("customers", 0, "unscannable"), "accept"),
    (("customers", 0, "route", "host"), "not a host"),
    (("customers", 0, "route", "port"), 0),
    (("customers", 0, "route", "connections"), 0),
    (("customers", 0, "route", "connect_timeout"), "1ms"),
    (("customers", 0, "route", "command_timeout"), "soon"),
    (("customers", 0, "route", "data_timeout"), "2h"),
    (("customers", 0, "route", "idle_timeout"), "0s"),
]

RIGHT = {
    "hostname": "mx1.example.org", "postmaster": "postmaster@example.org",
    "runtime_directory": "/run/postern", "state_directory": "/var/lib/postern",
    "log": {"format": "text"},
    "ports": [{"kind": "tap", "interface": "postern0", "namespace": "customers",
               "mac": "02:00:00:00:00:02", "address": "198.18.0.2/24", "smtp_port": 25,
               "mtu": 1500, "spreading": "auto", "rx_checksum": "verify"}],
    "cores": {"main": "auto", "workers": "auto", "scanners": "auto", "control": "auto",
              "idle": "adaptive"},
    "memory": {"hugepages": "auto", "messages": "256M", "packets": "128M"},
    "limits": {"message_size": "50M", "recipients": 1000, "connections": 10000,
               "connections_per_client": 1000, "messages_in_progress": 1024, "bad_commands": 20,
               "received_fields": 100, "window": "128K", "admission_wait": "30s",
               "command_timeout": "5m", "data_timeout": "3m", "verdict_timeout": "9m"},
    "smtp": {"strict_addresses": "no", "forbidden_commands": "CONNECT GET POST"},
    "scanner": {"processes": "auto", "database": "/var/lib/clamav", "user": "postern-scanner",
                "time_limit": "30s", "scan_size": "400M", "memory": "2G", "files": 10000,
                "recursion": 18},
    "prefilter": {"use": "yes", "file": "/var/lib/postern/bundles/prefilter", "message_size": "25M",
                  "inspections": 64, "cache_size": "16M"},
    "control": {"user": "postern"},
    "unscannable": {"encrypted": {"mail": "deliver", "archive": "reject", "document": "reject"},
                    "failed": "defer"},
    "customers": [{"name": "example", "domains": ["example.org"], "recipients": ["alice"],
                   "unscannable": "defer",
                   "route": {"host": "127.0.0.1", "port": 2525, "connections": 20,
                             "connect_timeout": "10s", "command_timeout": "60s",
                             "data_timeout": "5m", "idle_timeout": "30s"}}],
}


def with_change(value, path, new):
    """A copy of nested dicts and lists with the place `path` names set to `new`."""
    if not path:
        return new
    if isinstance(value, list):
        copy = list(value)
        copy[path[0]] = with_change(copy[path[0]], path[1:], new)
        return copy
    copy = dict(value)
    copy[path[0]] = with_change(copy.get(path[0]), path[1:], new)
    return copy


def keys_of(value, path=()):
    """The paths of all scalar keys (and lists of scalars)."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from keys_of(item, path + (key,))
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for number, item in enumerate(value):
            yield from keys_of(item, path + (number,))
    else:
        yield path


class CheckConfig(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="postern-test-config-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.file = self.folder / "postern.yaml"

    def check(self, config):
        lines, places = appliance.yaml_lines(config)
        self.file.write_text("\n".join(lines) + "\n")
        return appliance.postern("check-config", self.file), places

    def refused(self, config, path):
        result, places = self.check(config)
        self.assertEqual(result.returncode, 78, result.stdout + result.stderr)
        first = result.stderr.splitlines()[0]
        match = re.match(r"^%s:([0-9]+):([0-9]+): \S" % re.escape(str(self.file)), first)
        self.assertTrue(match, first)
        lines = self.file.read_text().splitlines()
        # A list may be named by its own line or by that of the entry that is wrong.
        self.assertIn(int(match.group(1)), range(places[path], places[path] + 2), first)
        self.assertLessEqual(int(match.group(2)), len(lines[int(match.group(1)) - 1]) + 1, first)
        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
        return first

    def test_right(self):
        result, _ = self.check(RIGHT)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("ok", result.stdout)

    def test_each_key_wrong_once(self):
        self.assertLessEqual(set(keys_of(RIGHT)), {path for path, _ in WRONG})
        schema = (appliance.TOP / "platform" / "config" / "schema.c").read_text()
        known = set(re.findall(r'^ +\{"([a-z0-9_]+)", SCHEMA_(?!GROUP|LIST)', schema, re.M))
        self.assertGreater(len(known), 40)
        self.assertEqual(known - {path[-1] for path, _ in WRONG}, set(), "a key is not tried")
        for path, value in WRONG:
            with self.subTest(key=".".join(map(str, path))):
                self.refused(with_change(RIGHT, path, value), path)

    def test_values_that_do_not_fit_together(self):
        for path, value in ((("scanner", "scan_size"), "49M"), (("memory", "messages"), "100M"),
                            (("limits", "verdict_timeout"), "10s"), (("limits", "verdict_timeout"), "10m"),
                            (("customers", 0, "route", "data_timeout"), "10m")):
            with self.subTest(key=".".join(map(str, path))):
                self.refused(with_change(RIGHT, path, value), path)

    def test_unknown_key_in_each_section(self):
        for path in ((), ("log",), ("ports", 0), ("cores",), ("memory",), ("limits",),
                     ("scanner",), ("prefilter",), ("control",), ("customers", 0), ("customers", 0, "route")):
            with self.subTest(section=".".join(map(str, path))):
                first = self.refused(with_change(RIGHT, path + ("colour",), "blue"),
                                     path + ("colour",))
                self.assertIn("colour", first)

    def test_missing_key(self):
        for path in (("hostname",), ("ports", 0, "kind"), ("ports", 0, "address"),
                     ("customers", 0, "name"), ("customers", 0, "domains"),
                     ("customers", 0, "route", "host"), ("ports",), ("customers",)):
            with self.subTest(key=".".join(map(str, path))):
                def without(value, rest):
                    copy = value.copy()
                    if len(rest) == 1:
                        del copy[rest[0]]
                    else:
                        copy[rest[0]] = without(copy[rest[0]], rest[1:])
                    return copy
                result, _ = self.check(without(RIGHT, path))
                self.assertEqual(result.returncode, 78, result.stdout)
                self.assertRegex(result.stderr, r"^\S+:[0-9]+:[0-9]+: ")
                self.assertIn(path[-1], result.stderr)

    def test_not_yaml_and_absent(self):
        for content in ("hostname: [", "\t- x", "", "just text", "a: &a [*a]", "\0\1\2"):
            with self.subTest(content=content):
                self.file.write_text(content)
                result = appliance.postern("check-config", self.file)
                self.assertEqual(result.returncode, 78, result.stdout)
                self.assertTrue(result.stderr.startswith(str(self.file)), result.stderr)
        result = appliance.postern("check-config", self.folder / "absent")
        self.assertEqual(result.returncode, 78)
        self.assertIn("absent", result.stderr)

    def test_run_refuses_the_same(self):
        self.file.write_text("hostname: x\ncolour: blue\n")
        result = appliance.postern("run", "-c", self.file)
        self.assertEqual(result.returncode, 78)
        self.assertRegex(result.stderr, r":2:1: ")

    def test_usage(self):
        for arguments in ((), ("nonsense",), ("run", "--nonsense"), ("run", "extra"),
                          ("scan", "--nonsense"), ("check-config", "a", "b"), ("show-config", "a", "b"),
                          ("status", "--nonsense")):
            with self.subTest(arguments=arguments):
                result = appliance.postern(*arguments)
                self.assertEqual(result.returncode, 2)
                self.assertIn("usage:", result.stderr)
        self.assertEqual(appliance.postern("--help").returncode, 0)


class Start(unittest.TestCase):
    """A start that must fail ends by itself, soon, with a cause an operator can act on."""

    def setUp(self):
        self.customer = Customer()
        self.addCleanup(self.customer.stop)

    def box(self, changes=None, **others):
        box = appliance.Appliance(
            [appliance.customer("example", ["example.org"], self.customer.port)], changes,
            **others)
        self.addCleanup(box.stop)
        return box

    def fails(self, box, codes, pattern):
        box.launch()
        try:
            code = box.process.wait(40)
        except Exception:
            self.fail("still running:\n" + box.log())
        log = box.log()
        self.assertIn(code, codes, log)
        self.assertRegex(log, pattern)
        self.assertNotIn("postern: ready", log)
        self.assertEqual(box.processes(), [])
        return log

    def test_no_signature_database(self):
        self.fails(self.box({"scanner": {"database": "/nonexistent/database"}}), (1, 78),
                   r"/nonexistent/database")

    def test_empty_signature_database(self):
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder).chmod(0o755)
            self.fails(self.box({"scanner": {"database": folder}}), (1, 78), re.escape(folder))

    def test_broken_signature_database(self):
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder).chmod(0o755)
            pathlib.Path(folder, "broken.ndb").write_text("this is:no signature\n")
            self.fails(self.box({"scanner": {"database": folder}}), (1, 78), re.escape(folder))

    def test_interface_in_use(self):
        box = self.box()
        appliance.ip("-n", box.namespace, "link", "add", box.interface, "type", "veth",
                     "peer", "name", "other")
        self.fails(box, (1, 78), re.escape(box.interface))

    def test_no_such_namespace(self):
        box = self.box()
        box.config["ports"][0]["namespace"] = "postern-no-such"
        box.write_config()
        self.fails(box, (1, 78), "postern-no-such")

    def test_no_such_core(self):
        self.fails(self.box({"cores": {"workers": 63}}), (1, 78), r"\b63\b")

    def test_more_workers_than_cores(self):
        self.fails(self.box({"cores": {"workers": "0-63"}}), (1, 78), r"cores?|cpu")

    def test_hugepages_required(self):
        free = int(pathlib.Path(
            "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages").read_text())
        if free:
            self.skipTest("this machine has free hugepages")
        self.fails(self.box({"memory": {"hugepages": "required"}}), (1, 78), r"hugepage")

    def test_more_memory_than_there_is(self):
        if os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >= 128 << 30:
            self.skipTest("this machine has 128G")
        self.fails(self.box({"memory": {"hugepages": "off", "messages": "64G", "packets": "64G"}}),
                   (1,), r"memory: more is certain than there is: messages 65536 \+ packets 65536 ")

    def test_no_such_user(self):
        for section in ("scanner", "control"):
            with self.subTest(section=section):
                self.fails(self.box({section: {"user": "nosuchuser"}}), (1, 78), "nosuchuser")

    def test_twice(self):
        with self.box() as first:
            second = self.box()
            second.config["runtime_directory"] = first.config["runtime_directory"]
            second.write_config()
            self.fails(second, (1,), re.escape(first.config["runtime_directory"]))
            self.assertEqual(first.send(mails.plain("still here", b"x\n"))[0], 250)

    def test_socket_in_use(self):
        """Somebody else answers at a socket of ours: it is not taken away from them."""
        import socket
        for name in ("dataplane.sock", "control.sock"):
            with self.subTest(socket=name):
                box = self.box()
                run = pathlib.Path(box.config["runtime_directory"])
                run.mkdir(mode=0o755)
                kind = socket.SOCK_SEQPACKET if name == "dataplane.sock" else socket.SOCK_STREAM
                with socket.socket(socket.AF_UNIX, kind) as other:
                    other.bind(str(run / name))
                    other.listen()
                    self.fails(box, (1,), re.escape(name))

    def test_stale_sockets_are_no_hindrance(self):
        import socket
        box = self.box()
        run = pathlib.Path(box.config["runtime_directory"])
        run.mkdir(mode=0o755)
        for name, kind in (("dataplane.sock", socket.SOCK_SEQPACKET),
                           ("control.sock", socket.SOCK_STREAM)):
            with socket.socket(socket.AF_UNIX, kind) as other:
                other.bind(str(run / name))
                other.listen()
        with box:
            self.assertEqual(box.send(mails.plain("works", b"x\n"))[0], 250)

    def test_hugepages_off_and_small_memory(self):
        with self.box({"memory": {"hugepages": "off", "messages": "64M"},
                       "limits": {"message_size": "5M"}}) as box:
            self.assertEqual(box.send(mails.plain("works", b"x\n"))[0], 250)

    def test_busy_polling(self):
        with self.box({"cores": {"idle": "poll"}}) as box:
            self.assertEqual(box.send(mails.plain("works", b"x\n"))[0], 250)

    def test_status_of_nothing(self):
        result = appliance.postern("status", "-c", self.box().config_path)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
