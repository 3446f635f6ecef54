"""Each process is what the table of processes says: docs/architecture.md, which a unit test compares
with platform/role.h. Looked at from outside, in /proc.
"""

import os
import pathlib
import pwd
import re
import unittest

import appliance
from customers import Customer

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs" / "architecture.md"
CORES = {"main": "0", "workers": "1", "scanners": "0-1", "control": "1"}
USERS = {"control": "postern", "scanner": "postern-scanner"}


def table():
    """{process: {"runs as": ..., "cores": ..., ...}}"""
    lines = iter(DOCUMENT.read_text().splitlines())
    head = next(line for line in lines if line.startswith("| process | runs as | cores |"))
    names = [cell.strip() for cell in head.strip("|").split("|")]
    rows = {}
    next(lines)
    for line in lines:
        if not line.startswith("|"):
            return rows
        cells = dict(zip(names, (cell.strip() for cell in line.strip("|").split("|"))))
        rows[cells.pop("process")] = cells
    return rows


def proc(pid, name):
    return pathlib.Path("/proc/%d/%s" % (pid, name)).read_text()


def field(pid, name):
    return re.search(r"^%s:\s*(.*)$" % name, proc(pid, "status"), re.MULTILINE).group(1)


def may_raise():
    """Whether root may do here what only root may: CAP_SYS_RESOURCE."""
    return int(field(os.getpid(), "CapEff"), 16) >> 24 & 1 == 1


def limit(pid, name):
    return re.search(r"^%s +(\S+) +(\S+)" % name, proc(pid, "limits"), re.MULTILINE).groups()


def cpus(text):
    found = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


@unittest.skipIf(len(os.sched_getaffinity(0)) < 2, "needs two cpus")
class Roles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.customer = Customer()
        cls.addClassCleanup(cls.customer.stop)
        cls.box = appliance.Appliance(
            [appliance.customer("example", ["example.org"], cls.customer.port)],
            {"cores": CORES, "control": {"user": USERS["control"]},
             "scanner": {"processes": 3, "user": USERS["scanner"]}})
        cls.addClassCleanup(cls.box.stop)
        cls.box.start()
        cls.rows = table()
        cls.found = {name: [cls.box.process_of(name).pid] for name in
                     ("postern-dataplane", "postern-control", "postern-scanner")}
        cls.found["its children"] = [child.pid for child in cls.box.scanner_children()]
        cls.found["postern run"] = [cls.box.process.pid]

    def each(self):
        for name, pids in self.found.items():
            for pid in pids:
                yield self.rows[name], pid, self.subTest(process=name, pid=pid)

    def test_all_are_there(self):
        self.assertEqual(set(self.rows) - set(self.found), {"postern signatures build"})
        self.assertEqual(len(self.found["its children"]), 3)

    def test_users(self):
        users = {"root": 0}
        for key in ("control", "scanner"):
            users["`%s.user`" % key] = pwd.getpwnam(USERS[key]).pw_uid
        self.assertEqual(len(set(users.values())), len(users))
        for row, pid, part in self.each():
            with part:
                self.assertEqual(field(pid, "Uid").split(), [str(users[row["runs as"]])] * 4)

    def test_cores(self):
        for row, pid, part in self.each():
            with part:
                allowed = cpus(field(pid, "Cpus_allowed_list"))
                named = set().union(*(cpus(CORES[key])
                                      for key in re.findall(r"`cores\.(\w+)`", row["cores"])))
                if row["cores"] == "any":
                    self.assertEqual(allowed, os.sched_getaffinity(0))
                elif row["cores"].startswith("one of"):
                    self.assertEqual(len(allowed), 1)
                    self.assertLessEqual(allowed, named)
                elif "main" in row["cores"]:  # its threads have one each
                    threads = [cpus(re.search(r"Cpus_allowed_list:\s*(\S+)", (task / "status").read_text())
                                    .group(1))
                               for task in pathlib.Path("/proc/%d/task" % pid).iterdir()]
                    self.assertEqual(set().union(*threads), named)
                    self.assertIn({1}, threads)
                    self.assertEqual(allowed, {0})
                else:
                    self.assertEqual(allowed, named)
        self.assertEqual({min(cpus(field(pid, "Cpus_allowed_list")))
                          for pid in self.found["its children"]}, {0, 1})

    def test_sandboxes(self):
        for row, pid, part in self.each():
            with part:
                gone = row["sandbox"] != "none"
                self.assertEqual(field(pid, "NoNewPrivs"), "1" if gone else "0")
                self.assertEqual(int(field(pid, "CapEff"), 16) == 0, gone)
                whole = row["sandbox"].startswith("[all of it]")
                self.assertEqual(int(field(pid, "CapBnd"), 16) == 0, whole)
                for space in ("net", "mnt", "ipc", "uts"):
                    self.assertEqual(os.readlink("/proc/%d/ns/%s" % (pid, space)) !=
                                     os.readlink("/proc/%d/ns/%s" % (self.box.process.pid, space)),
                                     whole, space)
                self.assertEqual(field(pid, "Seccomp") == "2", whole)
                self.assertEqual(limit(pid, "Max processes") == ("0", "0"), whole)

    def test_descriptors(self):
        for row, pid, part in self.each():
            with part:
                soft, hard = map(int, limit(pid, "Max open files"))
                wanted = int(row["descriptors"])
                if not may_raise():
                    wanted = min(wanted, int(limit(os.getpid(), "Max open files")[1]))
                self.assertEqual(soft, hard)
                if row["sandbox"].startswith("[all of it]"):
                    self.assertEqual(soft, wanted)
                else:
                    self.assertGreaterEqual(soft, wanted)

    def test_who_is_killed_first(self):
        for row, pid, part in self.each():
            with part:
                wanted = int(row["oom_score_adj"])
                if not may_raise():
                    wanted = max(wanted, int(proc(os.getpid(), "oom_score_adj")))
                self.assertEqual(int(proc(pid, "oom_score_adj")), wanted)


if __name__ == "__main__":
    unittest.main()
