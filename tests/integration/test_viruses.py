"""Infected mail is refused by name and never delivered; mail that cannot be scanned goes by the
customer's policy; and `postern scan` says what clamscan says.
"""

import base64
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest
import zipfile

import appliance
import mails
from customers import Customer

FILES = pathlib.Path("/usr/share/clamav-testfiles")
DATABASE = appliance.DATA / "signatures" / "clamav-unit" / "clamav.hdb"


def need_shared_data(test):
    """Absent data is a loud skip; in CI, where ../shared is there, it is a failure."""
    if DATABASE.exists():
        return
    if os.environ.get("CI") == "true" and appliance.SHARED.exists():
        test.fail("%s is missing" % DATABASE)
    test.skipTest("TEST DATA MISSING: %s" % DATABASE)


def test_files():
    return sorted(path for path in FILES.iterdir() if path.is_file())


class ClamavTestFiles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="postern-test-files-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)

    def setUp(self):
        need_shared_data(self)
        self.assertEqual(len(test_files()), 44, "clamav-testfiles has other files than it had")

    def test_each_attached_is_refused(self):
        customer = Customer()
        self.addCleanup(customer.stop)
        with appliance.Appliance(
                [appliance.customer("example", ["example.org"], customer.port)],
                database=DATABASE) as box:
            for path in test_files():
                with self.subTest(file=path.name):
                    code, text = box.send(mails.attachment("test", path.name, path.read_bytes()))
                    self.assertEqual(code, 554, text)
                    self.assertRegex(text, r"^5\.7\.1 \[[0-9A-F]+\] Message rejected: virus found "
                                           r"\(ClamAV-Test-File\.UNOFFICIAL\)")
            self.assertEqual(customer.ended, 0)
            self.assertEqual(box.wait_idle()["message_infected"], 44)

    def compare(self, paths):
        clamscan = subprocess.run(
            ["clamscan", "--no-summary", "--max-recursion=18", "--database", DATABASE] + paths,
            capture_output=True, text=True, check=False, timeout=100)
        theirs = {}
        for line in clamscan.stdout.splitlines():
            path, result = line.rsplit(": ", 1)
            theirs[path] = result[:-6] if result.endswith(" FOUND") else result
        ours = {}
        scan = appliance.postern("scan", "--json", "--database", DATABASE, *paths, timeout=100)
        for line in scan.stdout.splitlines():
            record = json.loads(line)
            ours[record["path"]] = (record["name"] if record["verdict"] == "infected"
                                    else "OK" if record["verdict"] == "clean"
                                    else record["verdict"])
            self.assertIn(record["decided_by"], ("scanner", "prefilter", "cache", "none"))
        self.assertEqual(len(theirs), len(paths))
        self.assertEqual(ours, theirs)
        self.assertEqual(scan.returncode, clamscan.returncode)

    def test_scan_agrees_on_bare_files(self):
        self.compare(test_files())

    def test_scan_agrees_on_mails(self):
        paths = []
        for path in test_files():
            mail = self.folder / (path.name + ".eml")
            mail.write_bytes(mails.attachment("test", path.name, path.read_bytes()))
            paths.append(mail)
        self.compare(paths)

    def test_scan_agrees_on_clean_files(self):
        paths = []
        for name, content in (("text.eml", mails.plain("clean", b"Nothing.\n")),
                              ("png.eml", mails.attachment("png", "a.png", mails.png())),
                              ("a.png", mails.png()), ("a.pdf", mails.pdf()),
                              ("a.zip", mails.zip_of("a.txt", b"text"))):
            paths.append(self.folder / name)
            paths[-1].write_bytes(content)
        self.compare(paths)


class Scan(unittest.TestCase):
    """`postern scan` as docs/commands.md describes it."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="postern-test-scan-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.database = self.folder / "eicar.ndb"
        self.database.write_text(mails.eicar_signature(appliance.EICAR_NAME))
        (self.folder / "mail").mkdir()
        self.clean = self.folder / "mail" / "clean.eml"
        self.clean.write_bytes(mails.plain("clean", b"Nothing.\n"))
        self.infected = self.folder / "infected.eml"
        self.infected.write_bytes(mails.attachment("eicar", "e.com", mails.eicar()))

    def scan(self, *arguments):
        return appliance.postern("scan", "--database", self.database, *arguments)

    def test_exit_codes(self):
        self.assertEqual(self.scan(self.clean).returncode, 0)
        self.assertEqual(self.scan(self.infected).returncode, 1)
        self.assertEqual(self.scan(self.folder / "mail").returncode, 0)
        self.assertEqual(self.scan(self.folder / "absent").returncode, 2)
        self.assertEqual(self.scan().returncode, 2)
        self.assertEqual(appliance.postern("scan", "--database", self.folder / "absent",
                                           self.clean).returncode, 2)

    def test_text(self):
        result = self.scan(self.infected)
        self.assertIn(str(self.infected), result.stdout)
        self.assertIn(appliance.EICAR_NAME, result.stdout)
        self.assertIn("scanner", result.stdout)


class Eicar(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.customer = Customer()
        cls.addClassCleanup(cls.customer.stop)
        entries = [appliance.customer(policy, [policy + ".example"], cls.customer.port,
                                      unscannable=policy)
                   for policy in ("defer", "reject", "deliver")]
        entries.append(appliance.customer("usual", ["usual.example"], cls.customer.port))
        cls.appliance = appliance.Appliance(entries, {"limits": {"message_size": "10M"},
                                                     "scanner": {"scan_size": "20M"}})
        cls.addClassCleanup(cls.appliance.stop)
        cls.appliance.start()

    def setUp(self):
        self.before = len(self.customer.taken)

    def refused(self, message):
        code, text = self.appliance.send(message, recipients=["a@deliver.example"])
        self.assertEqual(code, 554, text)
        self.assertRegex(text, r"^5\.7\.1 \[[0-9A-F]+\] Message rejected: virus found \(%s" %
                         re.escape(appliance.EICAR_NAME))
        self.assertLess(len(text), 500)
        self.assertEqual(len(self.customer.taken), self.before)

    def test_eicar_in_every_wrapping(self):
        eicar = mails.eicar()
        zipped = mails.zip_of("eicar.com", eicar)
        wrappings = {
            "bare": mails.plain("bare", eicar + b"\n"),
            "no header": b"\r\n" + eicar + b"\r\n",
            "nothing but the file": eicar + b"\r\n",
            "base64 attachment": mails.attachment("base64", "eicar.com", eicar),
            "zip": mails.attachment("zip", "eicar.zip", zipped, "application/zip"),
            "zip in zip": mails.attachment("zip", "e.zip", mails.zip_of("eicar.zip", zipped)),
            "behind a large part": mails.multipart("large", [
                ("application/octet-stream", "base64", "a.bin", os.urandom(2000000)),
                ("application/octet-stream", "base64", "e.com", eicar)]),
            "message in message": mails.multipart("nested", [
                ("message/rfc822", "7bit", None, mails.attachment("inner", "e.com", eicar))]),
        }
        for name, message in wrappings.items():
            with self.subTest(wrapping=name):
                self.refused(message)

    def test_after_an_infected_message_the_session_goes_on(self):
        session = self.appliance.connect()
        session.ehlo()
        recipients = ["a@deliver.example"]
        bad = mails.plain("bad", mails.eicar() + b"\n")
        self.assertEqual(session.send(bad, recipients=recipients)[0], 554)
        good = mails.plain("good", b"fine\n")
        self.assertEqual(session.send(good, recipients=recipients)[0], 250)
        self.assertEqual(self.customer.taken[self.before].message, good)

    def by_policy(self, message, reason):
        code, text = self.appliance.send(message, recipients=["a@defer.example"])
        self.assertEqual((code, text[:6]), (451, "4.7.1 "), text)
        code, text = self.appliance.send(message, recipients=["a@reject.example"])
        self.assertEqual((code, text[:6]), (554, "5.7.1 "), text)
        self.assertEqual(len(self.customer.taken), self.before)
        code, text = self.appliance.send(message, recipients=["a@deliver.example"])
        self.assertEqual(code, 250, text)
        self.assertEqual(len(self.customer.taken), self.before + 1)
        taken = self.customer.taken[self.before]
        self.assertEqual(taken.message, message)
        self.assertEqual(dict(taken.fields)["x-virus-status"], "Unscanned (%s)" % reason)

    def test_encrypted_zip(self):
        with tempfile.TemporaryDirectory() as folder:
            plain = pathlib.Path(folder, "secret.txt")
            plain.write_text("secret\n" * 100)
            subprocess.run(["zip", "-q", "-j", "-P", "password", folder + "/secret.zip", plain],
                           check=True)
            archive = pathlib.Path(folder, "secret.zip").read_bytes()
        self.by_policy(mails.attachment("encrypted", "secret.zip", archive, "application/zip"),
                       "encrypted")

    def test_usual_policies(self):
        """What is wrong with the message is refused with what can be done; end-to-end encrypted mail
        is for its recipient to judge."""
        # A session key for somebody, and what is encrypted with it (RFC 9580 5.1, 5.13).
        packets = (bytes((0x85, 1, 12, 3)) + b"somebody" + bytes((1, 7, 255)) + bytes(range(256)) +
                   bytes((0xd2, 60, 1)) + bytes(range(59)))
        armored = (b"-----BEGIN PGP MESSAGE-----\r\n\r\n%s-----END PGP MESSAGE-----\r\n" %
                   base64.encodebytes(packets).replace(b"\n", b"\r\n"))
        partial = mails.head("p", content_type='message/partial; id="a"; number=1; total=2')
        code, text = self.appliance.send(partial + b"Subject: x\r\n\r\nhalf of it\r\n",
                                         recipients=["a@usual.example"])
        self.assertEqual(code, 554, text)
        self.assertRegex(text, r"^5\.7\.1 .*partial; send it whole")
        message = mails.plain("pgp", armored)
        code, text = self.appliance.send(message, recipients=["a@usual.example"])
        self.assertEqual(code, 250, text)
        self.assertEqual(dict(self.customer.taken[self.before].fields)["x-virus-status"],
                         "Unscanned (encrypted mail)")

    def test_nested_too_deep(self):
        content = b"the bottom of it\n" * 10
        for depth in range(25):
            content = mails.zip_of("level%d.zip" % depth, content)
        self.by_policy(mails.attachment("deep", "deep.zip", content, "application/zip"),
                       "limit exceeded")

    def test_too_much_inside(self):
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
            for number in range(3):
                file.writestr("zeros%d.bin" % number, bytes(10 << 20))
        self.by_policy(mails.attachment("bomb", "bomb.zip", archive.getvalue(), "application/zip"),
                       "limit exceeded")
