#!/usr/bin/python3
"""`postern scan` with the real scanner, beside clamscan.

Usage: scan_test.py BUILD_DIRECTORY SOURCE_DIRECTORY
Needs clamscan, the package clamav-testfiles and the test data beside the source tree; skips (77)
and says so when something is missing.
"""
import base64
import glob
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest

BUILD, SOURCE = sys.argv[1:3] if len(sys.argv) > 2 else (".", ".")
del sys.argv[1:]
SHARED = os.path.join(SOURCE, "../shared/data")
DATABASE = os.path.join(SHARED, "signatures/clamav-unit/clamav.hdb")
MAILS = os.path.join(SHARED, "mail/spamassassin-ham.tar.xz")
FILES = "/usr/share/clamav-testfiles"
SAMPLE = 120


def scan(*arguments, **more):
    return subprocess.run([os.path.join(BUILD, "postern"), "scan", *arguments],
                          capture_output=True, timeout=300, **more)


def scan_json(*arguments):
    done = scan("--json", "--database", DATABASE, *arguments)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def clamscan(path):
    """Paths that clamscan calls infected, with the signature's name."""
    done = subprocess.run(["clamscan", "--database", DATABASE, "--recursive", "--infected",
                           "--no-summary", "--max-filesize=400M", "--max-scansize=400M", path],
                          capture_output=True, text=True, timeout=300)
    found = {}
    for line in done.stdout.splitlines():
        name, _, verdict = line.rpartition(": ")
        found[name] = verdict.removesuffix(" FOUND")
    return found


class Scan(unittest.TestCase):
    def setUp(self):
        self.base = tempfile.mkdtemp(prefix="postern-test-")

    def tearDown(self):
        shutil.rmtree(self.base)

    def write(self, name, data):
        path = os.path.join(self.base, name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def infected(self, results):
        return {r["path"]: r["name"] for r in results if r["verdict"] == "infected"}

    def test_clamav_testfiles(self):
        code, results = scan_json(FILES)
        self.assertEqual(code, 1)
        self.assertEqual([r["path"] for r in results], sorted(glob.glob(FILES + "/*")))
        self.assertEqual(len(results), 44)
        self.assertEqual(self.infected(results), clamscan(FILES))
        self.assertEqual(len(self.infected(results)), 44)

    def test_mails(self):
        """A bounded sample of real mail, every fourth with an infected attachment."""
        virus = base64.encodebytes(open(FILES + "/clam.zip", "rb").read())
        with tarfile.open(MAILS) as archive:
            mails = [m for m in archive if m.isfile() and m.size < 200000][:SAMPLE * 5:5]
            for i, member in enumerate(mails):
                mail = archive.extractfile(member).read()
                if i % 4 == 0:
                    mail = (b"From: a@example.org\nMIME-Version: 1.0\nContent-Type: "
                            b"multipart/mixed; boundary=bb\n\n--bb\nContent-Type: "
                            b"message/rfc822\n\n" + mail + b"\n--bb\nContent-Type: "
                            b"application/zip; name=x.zip\nContent-Transfer-Encoding: base64\n\n"
                            + virus + b"--bb--\n")
                self.write("%04d" % i, mail)
        code, results = scan_json(self.base)
        self.assertEqual(code, 1)
        self.assertEqual(len(results), SAMPLE)
        self.assertEqual({r["type"] for r in results}, {"message"})
        self.assertEqual({r["verdict"] for r in results}, {"clean", "infected"})
        self.assertEqual(len(self.infected(results)), SAMPLE // 4)
        self.assertEqual(self.infected(results), clamscan(self.base))

    def test_text_and_exit_codes(self):
        clean = self.write("clean", b"Subject: a\n\nhello\n")
        empty = self.write("empty", b"")
        done = scan("--database", DATABASE, "--no-prefilter", clean, empty)
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout.decode(),
                         r"^%s: clean decided_by=scanner time=[\d.]+ms cpu=[\d.]+ms\n"
                         r"%s: clean decided_by=none\n$" % (clean, empty))
        done = scan("--database", DATABASE, clean, self.base + "/nothing")
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"/nothing: No such file or directory\n", done.stderr)
        done = scan("--database", DATABASE, self.base + "/nothing", FILES + "/clam.exe")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"clam.exe: infected(ClamAV-Test-File", done.stdout)

    def test_prefilter(self):
        """One for this run, or one that was built; and none for another database."""
        clean = self.write("clean.eml", b"Subject: a\n\nhello\n")
        zipped = self.write("zip.eml", b"Subject: a\nMIME-Version: 1.0\nContent-Type: "
                            b"application/zip; name=x.zip\nContent-Transfer-Encoding: base64\n\n" +
                            base64.encodebytes(open(FILES + "/clam.zip", "rb").read()))
        code, results = scan_json(clean, zipped)
        self.assertEqual(code, 1)
        self.assertEqual([r["decided_by"] for r in results], ["prefilter", "scanner"])
        self.assertNotIn("sent_on_because", results[0])
        self.assertEqual(results[0]["parts"], [{"type": "CL_TYPE_TEXT_ASCII", "bytes": 6}])
        self.assertEqual(results[1]["sent_on_because"], "type: CL_TYPE_ZIP")
        built = os.path.join(self.base, "prefilter")
        subprocess.run([os.path.join(BUILD, "postern"), "signatures", "build", "--quiet",
                        "--database", DATABASE, "--output", built], check=True, timeout=60)
        code, again = scan_json("--prefilter", built, clean, zipped)
        self.assertEqual([r["decided_by"] for r in again], ["prefilter", "scanner"])
        other = self.write("other.ndb", b"Postern.Test:0:*:%s\n" % b"hello".hex().encode())
        done = scan("--json", "--database", other, "--prefilter", built, clean)
        result = json.loads(done.stdout)
        self.assertEqual((result["decided_by"], result["verdict"]), ("scanner", "infected"))
        self.assertIn("another database", result["sent_on_because"])
        self.assertIn(b"the prefilter is for another database", done.stderr)

    def test_too_large(self):
        path = self.write("large", b"")
        os.truncate(path, (50 << 20) + 1)
        code, results = scan_json(path)
        self.assertEqual(code, 2)
        self.assertEqual(results[0]["verdict"], "unscannable")
        self.assertEqual(results[0]["reason"], "limit exceeded")
        self.assertEqual(results[0]["decided_by"], "none")

    def test_without_database(self):
        path = self.write("x", b"hello")
        done = scan("--json", "--database", self.base + "/none", path)
        self.assertEqual(done.returncode, 2)
        self.assertEqual(json.loads(done.stdout)["reason"], "no engine")
        self.assertIn(b"postern scan: postern-scanner ended with exit code", done.stderr)

    def test_no_process_stays(self):
        # A database of its own tells this run's processes from any other's.
        database = shutil.copy(DATABASE, self.base)
        done = scan("--database", database, FILES + "/clam.exe")
        self.assertEqual(done.returncode, 1)
        left = subprocess.run(["pgrep", "-f", "database " + database], capture_output=True,
                              text=True).stdout
        self.assertEqual(left, "")

    @unittest.skipUnless(os.geteuid() == 0, "needs root to become somebody else")
    def test_as_an_ordinary_user(self):
        os.chmod(self.base, 0o755)
        copies = {}
        for name, path in {"postern": os.path.join(BUILD, "postern"),
                           "postern-scanner": os.path.join(BUILD, "postern-scanner"),
                           "clamav.hdb": DATABASE}.items():
            copies[name] = shutil.copy(path, os.path.join(self.base, name))
        done = subprocess.run([copies["postern"], "scan", "--json", "--database",
                               copies["clamav.hdb"], FILES + "/clam.exe"],
                              capture_output=True, timeout=60, user=65534, group=65534,
                              extra_groups=[])
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(json.loads(done.stdout)["verdict"], "infected")


if __name__ == "__main__":
    missing = [path for path in (DATABASE, MAILS, FILES) if not os.path.exists(path)]
    if shutil.which("clamscan") is None:
        missing.append("clamscan")
    if missing:
        print("SKIPPED: postern scan is not compared with clamscan; missing:", *missing)
        sys.exit(77)
    unittest.main(verbosity=2)
