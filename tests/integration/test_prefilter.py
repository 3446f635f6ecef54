"""The prefilter in the appliance: most mail is settled on the packet core, everything doubtful goes
to a scanner, and what is settled is what libclamav would have said.
"""

import base64
import pathlib
import signal
import time
import unittest

import appliance
import mails
from customers import Customer

TEXT_NAME = "Postern.Test.Text"
TEXT = b"this sentence is a test signature of postern"
SIGNATURES = (mails.eicar_signature(appliance.EICAR_NAME) +
              "%s:0:*:%s\n" % (TEXT_NAME, TEXT.hex()))
SUM = ("settled", "cached", "sent_on", "absent")
MALFORMED = pathlib.Path(__file__).parent.parent / "oracle/malformed"
CAUSES = ("gate", "type", "signature", "always", "hash", "name", "limit")


def harmless(message):
    """The same with another file than EICAR's, of the same length, plain and in base64."""
    return message.replace(mails.eicar()[:9], b"harmless!").replace(b"WDVPIVAlQEFQ", b"aGFybWxlc3Mh")


class WithPrefilter(unittest.TestCase):
    changes = {}

    def setUp(self):
        self.customer = Customer()
        self.addCleanup(self.customer.stop)
        self.box = appliance.Appliance(
            [appliance.customer("example", ["example.org"], self.customer.port)],
            appliance.merge({"prefilter": {"use": "yes"}}, self.changes))
        self.addCleanup(self.box.stop)
        self.database = pathlib.Path(self.box.config["scanner"]["database"])
        (self.database / "test.ndb").write_text(SIGNATURES)
        self.box.start()
        self.box.wait_prefilter()
        self.first = len(self.box.log_records())

    def send(self, message, code):
        """The message's log record."""
        before = len(self.box.log_records())
        got, text = self.box.send(message)
        self.assertEqual(got, code, text)
        appliance.wait_for(lambda: len(self.box.log_records()) > before, 5, "its log line")
        return self.box.log_records()[before]

    def check_sums(self):
        counters = self.box.wait_idle()
        submitted = sum(counters["message_" + outcome] for outcome in
                        ("delivered", "infected", "unscannable", "relay_temporary",
                         "relay_permanent", "no_relay"))
        self.assertEqual(sum(counters["prefilter_" + name] for name in SUM), submitted)
        self.assertEqual(sum(counters["prefilter_by_" + name] for name in CAUSES),
                         counters["prefilter_sent_on"])
        return counters


class Decisions(WithPrefilter):
    def test_clean_kinds_are_settled(self):
        text = b"Dear all,\nthe meeting is on Monday.\nRegards\n" * 50
        html = (b"<html><body><p>Hello <b>world</b>, <a href=\"http://example.org/\">see here</a>"
                b"</p></body></html>\n")
        jobs_before = self.box.counters()["scan_jobs"]
        for name, message in (
                ("8bit", mails.plain("a", text, encoding="8bit")),
                ("7bit", mails.plain("a", text)),
                ("html", mails.multipart("a", [("text/plain", "8bit", None, text),
                                               ("text/html", "8bit", None, html)],
                                         subtype="alternative")),
                ("base64", mails.multipart("a", [("text/plain", "base64", None, text)])),
                ("png", mails.attachment("a", "picture.png", mails.png(), "image/png")),
                ("large", mails.plain("a", text * 400, encoding="8bit"))):
            with self.subTest(kind=name):
                record = self.send(message, 250)
                self.assertEqual((record["verdict"], record["decided_by"]), ("clean", "prefilter"))
                self.assertNotIn("sent_on", record)
                delivered = self.customer.taken[-1]
                self.assertIn(b"X-Virus-Scanned:", delivered.content)
                self.assertTrue(delivered.content.endswith(message[-200:]))
        counters = self.check_sums()
        self.assertEqual(counters["scan_jobs"], jobs_before)

    def test_a_signature_in_any_encoding_is_found(self):
        hidden = TEXT.upper().replace(b" ", b"=20")
        for name, message in (
                ("plain", mails.plain("v", TEXT + b"\n", encoding="8bit")),
                ("7bit", mails.plain("v", TEXT + b"\n")),
                ("header", mails.plain(TEXT.decode(), b"x\n")),
                ("base64", mails.multipart("v", [("text/plain", "base64", None, TEXT)])),
                ("html", mails.multipart("v", [("text/html", "8bit", None,
                                                b"<html><b>" + TEXT + b"</b></html>")])),
                ("binary", mails.attachment("v", "data.bin", b"\x01\x02\xff" * 700 + TEXT)),
                ("quoted", mails.multipart("v", [("text/plain", "quoted-printable", None,
                                                  hidden.lower()[:60] + b"=\n" +
                                                  hidden.lower()[60:] + b"\n")]))):
            with self.subTest(kind=name):
                record = self.send(message, 554)
                self.assertEqual((record["verdict"], record["decided_by"]),
                                 ("infected", "scanner"))
                self.assertIn(TEXT_NAME, record["sent_on"])
        self.check_sums()

    def test_a_type_is_sent_on_once_and_cached_then(self):
        clean = mails.attachment("z", "a.zip", mails.zip_of("notes.txt", b"nothing here\n" * 99))
        infected = mails.attachment("z", "b.zip", mails.zip_of("eicar.com", mails.eicar()))
        for number in range(3):
            record = self.send(clean, 250)
            self.assertEqual(record["decided_by"], "cache" if number else "scanner")
            record = self.send(infected, 554)
            self.assertEqual(record["decided_by"], "cache" if number else "scanner")
            self.assertEqual(record["sig"], appliance.EICAR_NAME + ".UNOFFICIAL")
        counters = self.check_sums()
        self.assertEqual(counters["prefilter_cached"], 4)
        self.assertEqual(counters["cache_stored"], 2)

    def test_what_readers_differ_on_is_scanned_in_every_reading(self):
        double = mails.head("m", content_type='multipart/mixed; boundary="a"; boundary="b"')
        parts = (b"--a\r\nContent-Type: text/plain\r\n\r\nHello\r\n--a--\r\n"
                 b"--b\r\nContent-Type: application/octet-stream\r\n"
                 b"Content-Transfer-Encoding: base64\r\n\r\n%s\r\n--b--\r\n")
        for content, code, verdict in ((b"harmless" * 9, 250, "clean"), (mails.eicar(), 554, "infected")):
            with self.subTest(verdict=verdict):
                record = self.send(double + parts % base64.b64encode(content), code)
                self.assertEqual((record["verdict"], record["decided_by"]), (verdict, "scanner"))
                self.assertIn("gate: ", record["sent_on"])
                self.assertIn(record["doubt"].strip("<>"), record["sent_on"])
                self.assertEqual(record["reading"] != "0", verdict == "infected")
                self.assertGreater(int(record["readings"]), 1)
        counters = self.check_sums()
        self.assertEqual(counters["scan_readings"], counters["scan_jobs"])
        scanner = self.box.status()["scanner_counters"]
        self.assertEqual((scanner["scanner_read"], scanner["scanner_read_infected"]), (2, 1))
        self.assertGreater(scanner["scanner_readings"], 2)

    def test_malformed_mail_of_the_oracle(self):
        """Hidden from libclamav, shown by some mail program: infected; harmless twins are delivered."""
        for path in sorted(MALFORMED.glob("*.eml")):
            message = path.read_bytes().replace(b"\n", b"\r\n")
            with self.subTest(mail=path.name):
                record = self.send(message, 554)
                self.assertEqual((record["verdict"], record["decided_by"]), ("infected", "scanner"))
                record = self.send(harmless(message), 250)
                self.assertEqual((record["verdict"], record["decided_by"]), ("clean", "scanner"))
        self.check_sums()

    def test_a_type_alone_needs_no_readings(self):
        """Sent on for a ZIP, but clear to every reader to its end."""
        before = self.box.counters()
        self.send(mails.attachment("z", "a.zip", mails.zip_of("notes.txt", b"nothing here\n" * 99)), 250)
        counters = self.check_sums()
        self.assertEqual(counters["scan_jobs"], before["scan_jobs"] + 1)
        self.assertEqual(counters["scan_readings"], before["scan_readings"])

    def test_several_at_once(self):
        clean = mails.plain("many", b"a line of text that is of no interest\n" * 300,
                            encoding="8bit")
        zipped = mails.attachment("z", "a.zip", mails.zip_of("n.txt", b"not interesting\n" * 999))
        virus = mails.plain("v", TEXT + b"\n", encoding="8bit")
        expected = {0: 250, 1: 250, 2: 554}

        def work(number):
            return [self.box.send((clean, zipped, virus)[kind])[0] == expected[kind]
                    for kind in range(3) for _ in range(6)]
        for results in appliance.in_threads(8, work):
            self.assertEqual(results, [True] * 18)
        self.check_sums()


class WithoutPrefilter(unittest.TestCase):
    def test_readings_do_not_depend_on_it(self):
        """Nobody has looked at the mail: what readers differ on is found, what is clear is scanned once."""
        customer = Customer()
        self.addCleanup(customer.stop)
        box = appliance.Appliance([appliance.customer("example", ["example.org"], customer.port)],
                                  {"prefilter": {"use": "no"}})
        self.addCleanup(box.stop)
        (pathlib.Path(box.config["scanner"]["database"]) / "test.ndb").write_text(SIGNATURES)
        box.start()
        self.assertEqual(box.send(mails.plain("a", b"Hello\n"))[0], 250)
        self.assertEqual(box.status()["scanner_counters"]["scanner_read"], 0)
        message = (MALFORMED / "type-twice.eml").read_bytes().replace(b"\n", b"\r\n")
        self.assertEqual(box.send(message)[0], 554)
        self.assertEqual(box.send(harmless(message))[0], 250)
        box.wait_idle()
        scanner = box.status()["scanner_counters"]
        self.assertEqual((scanner["scanner_read"], scanner["scanner_read_infected"]), (2, 1))


class Vouching(WithPrefilter):
    changes = {"scanner": {"processes": 1}}

    def test_scanners_with_another_database(self):
        """The engine gets new signatures: nothing is settled until the prefilter has them too."""
        (self.database / "more.ndb").write_text("Postern.Test.More:0:*:%s\n" % (
            b"another test signature of ours".hex()))
        message = mails.plain("v", b"with another test signature of ours inside\n", "8bit")
        self.assertEqual(self.send(message, 250)["decided_by"], "prefilter")
        parent = self.box.process_of("postern-scanner")
        parent.signal(signal.SIGKILL)

        def replaced():
            return self.box.send(message)[0] == 554
        appliance.wait_for(replaced, 20, "the new signature")
        record = self.send(mails.plain("c", b"clean\n", "8bit"), 250)
        self.assertEqual(record["decided_by"], "scanner")
        self.assertIn("another database", record["sent_on"])
        self.box.process.send_signal(signal.SIGHUP)

        def settled():
            return self.send(mails.plain("c", b"clean\n", "8bit"), 250)["decided_by"] == "prefilter"
        appliance.wait_for(settled, 20, "a prefilter of the new database")
        record = self.send(message, 554)
        self.assertIn("Postern.Test.More", record["sent_on"])
        self.check_sums()

    def test_no_scanner_has_been_ready(self):
        """The dataplane starts anew while no scanner comes: what is settled goes out, the rest waits."""
        scanners = self.box.process_of("postern-scanner")
        scanners.signal(signal.SIGSTOP)
        self.addCleanup(scanners.signal, signal.SIGCONT)
        dataplane = self.box.process_of("postern-dataplane")
        dataplane.signal(signal.SIGKILL)
        appliance.wait_for(lambda: self.box.log().count("in use:") == 2 and
                           self.box.log().count("linked to the dataplane") == 2, 20, "its successor")
        self.box.connect_neighbour()
        record = self.send(mails.plain("c", b"clean\n", "8bit"), 250)
        self.assertEqual(record["decided_by"], "prefilter")
        self.assertEqual(self.box.status()["counters"]["scan_jobs"], 0)
        scanners.signal(signal.SIGCONT)
        self.assertEqual(self.send(mails.plain("v", TEXT, "8bit"), 554)["decided_by"], "scanner")


class Bombs(WithPrefilter):
    """Mail made to cost much: bounded time, a full scan or unscannable, and others do not notice."""

    changes = {"limits": {"message_size": "20M"}}

    def bombs(self):
        head = mails.head("bomb", content_type='multipart/mixed; boundary="b"', encoding="8bit")
        deep = b"".join(b"Content-Type: multipart/mixed; boundary=\"b%d\"\r\n\r\n--b%d\r\n" % (n, n)
                        for n in range(2000))
        part = b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n"
        yield "depth", mails.head("bomb", content_type='multipart/mixed; boundary="b"',
                                  encoding="8bit") + b"--b\r\n" + deep
        yield "parts", head + part * 100000 + b"--b--\r\n"
        yield "one-byte boundaries", head + b"--b\r\n" * 1000000
        yield "header fields", mails.head("bomb")[:-2] + b"X: y\r\n" * 1000000 + b"\r\n"
        yield "one long header", mails.head("bomb")[:-2] + b"X: y\r\n" + b" z\r\n" * 2000000 + b"\r\n"
        inner = b"clean text " * 500000
        for _ in range(3):
            inner = base64.encodebytes(inner)
        yield "base64 of base64", mails.attachment("bomb", "a.bin", inner)
        yield "tags", mails.multipart("bomb", [("text/html", "8bit", None,
                                                b"<a href=\n" * 1000000)])
        yield "entities", mails.multipart("bomb", [("text/html", "8bit", None,
                                                    b"&#x41;&lt;!--\n" * 700000)])
        yield "quoted", mails.multipart("bomb", [("text/plain", "quoted-printable", None,
                                                  b"=41=\n" * 2000000)])
        yield "spaces", mails.plain("bomb", b" \n" * 3000000, "8bit")
        yield "dashes", head + b"--\n".replace(b"\n", b"\r\n") * 2000000

    def test_bounded(self):
        dataplane = self.box.process_of("postern-dataplane")
        for name, bomb in self.bombs():
            with self.subTest(bomb=name):
                before = dataplane.ticks()
                lines = len(self.box.log_records())
                code, text = self.box.send(bomb, timeout=100)
                spent = dataplane.ticks() - before
                self.assertIn(code, (250, 451, 554), text)
                appliance.wait_for(lambda: len(self.box.log_records()) > lines, 5, "its log line")
                record = self.box.log_records()[lines]
                print("%s: %d bytes, %d, decided_by=%s, %s, dataplane %.2f s of CPU" % (
                    name, len(bomb), code, record["decided_by"], record.get("sent_on", "-"),
                    spent / 100))
        self.assertEqual(self.box.send(mails.plain("after", b"still here\n", "8bit"))[0], 250)
        self.check_sums()

    def test_others_get_through_meanwhile(self):
        bombs = [bomb for _, bomb in self.bombs()][:6]
        times = []

        def work(number):
            if number:
                return [self.box.send(bombs[number - 1], timeout=100)[0]]
            for _ in range(20):
                started = time.monotonic()
                code = self.box.send(mails.plain("good", b"good mail\n", "8bit"))[0]
                times.append(time.monotonic() - started)
                if code != 250:
                    return [code]
            return [250]
        results = appliance.in_threads(7, work)
        self.assertEqual(results[0], [250])
        for codes in results[1:]:
            self.assertIn(codes[0], (250, 451, 554))
        print("good mail beside six bombs: median %.1f ms, longest %.1f ms" % (
            sorted(times)[len(times) // 2] * 1000, max(times) * 1000))
        self.check_sums()
