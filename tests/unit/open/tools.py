"""What the tests of this room share: a folder to work in, tools that make contents, and the program
that opens them (probe.c). A tool that is missing is a failure: platform/packages installs them.
"""
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

PROBE = os.path.abspath(sys.argv.pop() if len(sys.argv) > 1 else "open_probe")

# Long enough to be compressed, and known by its hash.
PLANTED = b"".join(b"line %d of what was planted\r\n" % (i * i) for i in range(300))
MAIL = b"Content-Type: text/plain\r\n\r\n" + PLANTED


class Seen:
    """What the probe said."""

    def __init__(self, text):
        self.outputs = []  # (depth, kind, length, sha256, name)
        self.verdicts = []  # (depth, verdict, reason, kind), the innermost first
        for line in text.splitlines():
            depth, word, rest = line.split(" ", 2)
            if word in ("mail", "file"):
                length, digest, name = rest.split(" ", 2)
                self.outputs.append((int(depth), word, int(length), digest, name))
            else:
                reason, kind = rest.rsplit(" ", 1)
                self.verdicts.append((int(depth), word, reason, kind))

    def verdict(self):
        return self.verdicts[-1][1:]

    def has(self, content, kind=None):
        digest = hashlib.sha256(content).hexdigest()
        return any(output[3] == digest and kind in (None, output[1]) for output in self.outputs)

    def names(self):
        return [output[4] for output in self.outputs]


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="open.")
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.put("planted.txt", PLANTED)
        self.put("mail.eml", MAIL)

    def path(self, name):
        return os.path.join(self.folder, name)

    def put(self, name, content):
        with open(self.path(name), "wb") as file:
            file.write(content)
        return content

    def get(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def run_tool(self, *arguments, given=b"", env=None):
        """In the folder; standard output."""
        done = subprocess.run(arguments, input=given, cwd=self.folder, timeout=60, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env={**os.environ, **(env or {})})
        self.assertEqual(done.returncode, 0, (arguments, done.stderr))
        return done.stdout

    def open(self, content, name="", limits=()):
        self.put("content", content)
        return Seen(self.run_tool(PROBE, self.path("content"), name, *map(str, limits))
                    .decode(errors="replace"))

    def assert_nothing(self, content, name=""):
        seen = self.open(content, name)
        self.assertEqual(seen.verdict(), ("nothing", "none", ""))
        self.assertEqual(seen.outputs, [])

    def assert_finding(self, content, reason, kind, name=""):
        self.assertEqual(self.open(content, name).verdict(), ("finding", reason, kind))

    def assert_found(self, content, planted, name="", kind=None):
        seen = self.open(content, name)
        self.assertEqual(seen.verdict(), ("found", "none", ""))
        self.assertTrue(seen.has(planted, kind), (seen.outputs, seen.verdicts))
        return seen
