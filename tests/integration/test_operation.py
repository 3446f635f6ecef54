"""What an operator sees: status, the log, ping, and an orderly end."""

import datetime
import json
import os
import re
import signal
import threading
import time
import unittest

import appliance
import mails
from customers import Customer

# Outcomes a started message can have: each counted once.
OUTCOMES = ("delivered", "infected", "unscannable", "relay_temporary", "relay_permanent",
            "no_relay", "too_large", "no_room", "malformed", "cut_off", "abandoned")


class Books(unittest.TestCase):
    """One known set of messages; then the log and the counters are read."""

    @classmethod
    def setUpClass(cls):
        cls.customer = Customer(extra={"full@example.org": "452 4.2.2 Box is full"})
        cls.addClassCleanup(cls.customer.stop)
        cls.appliance = appliance.Appliance(
            [appliance.customer("example", ["example.org"], cls.customer.port)],
            {"limits": {"message_size": "1M"}})
        cls.addClassCleanup(cls.appliance.stop)
        cls.appliance.start()
        box = cls.appliance
        cls.replies = [
            box.send(mails.plain("clean", b"x\n")),
            box.send(mails.plain("two", b"x\n"),
                     recipients=["alice@example.org", "bob@example.org"]),
            box.send(mails.plain("virus", mails.eicar() + b"\n")),
            box.send(mails.plain("full", b"x\n"), recipients=["full@example.org"]),
            box.send(mails.plain("large", b"0123456789abcde\n" * 80000)),
            box.send(b"bare\nline\r\n"),
        ]
        session = box.connect()
        session.ehlo("forger.example")
        session.say("MAIL FROM:<\"a, status=sent\"@example.net>")
        session.say("RCPT TO:<alice@example.org>")
        session.say("DATA")
        session.raw(b"cut off here")
        session.close()
        cls.counters = box.wait_idle()
        appliance.wait_for(lambda: len(box.log_records()) >= 7, 5, "seven log lines")
        cls.records = box.log_records()

    def test_replies(self):
        self.assertEqual([code for code, _ in self.replies], [250, 250, 554, 452, 552, 550])

    def test_counters_add_up(self):
        counters = self.counters
        self.assertEqual(counters["message_started"], 7)
        self.assertEqual(counters["message_started"],
                         sum(counters["message_" + outcome] for outcome in OUTCOMES))
        for outcome, count in (("delivered", 2), ("infected", 1), ("relay_temporary", 1),
                               ("too_large", 1), ("malformed", 1), ("cut_off", 1)):
            self.assertEqual(counters["message_" + outcome], count, outcome)
        counters = self.appliance.counters()
        self.assertEqual(counters["connections_opened"], counters["connections_open"] +
                         sum(value for name, value in counters.items()
                             if name.startswith("closed_")))

    def test_every_packet_has_one_outcome(self):
        def sums():
            counters = self.appliance.counters()
            return (counters["rx_packets"], counters["passed_on"] + counters["pass_full"] + sum(
                value for name, value in counters.items()
                if name.startswith(("frame_", "tcp_in_"))))

        def equal():
            left, right = sums()
            return left == right
        self.assertGreater(sums()[0], 50)
        appliance.wait_for(equal, 5, "rx_packets equal to the sum of the outcomes")

    def test_one_line_a_message(self):
        self.assertEqual(len(self.records), 7)
        self.assertEqual(len({record["id"] for record in self.records}), 7)
        for record in self.records:
            with self.subTest(record=record):
                for key in ("client", "helo", "from", "to", "nrcpt", "size", "tls", "delay",
                            "delays", "verdict", "sig", "decided_by", "relay", "dsn", "status"):
                    self.assertIn(key, record)
                self.assertIn("198.18.0.1", record["client"])
                self.assertRegex(record["delays"], r"^[0-9.]+/[0-9.]+/[0-9.]+/[0-9.]+$")
                self.assertEqual(record["tls"], "-")

    def test_what_the_lines_say(self):
        clean, two, virus, full, large, bare, cut = self.records
        self.assertEqual((clean["verdict"], clean["decided_by"], clean["dsn"]),
                         ("clean", "scanner", "2.0.0"))
        self.assertEqual(clean["from"], "<sender@example.net>")
        self.assertEqual(clean["to"], "<alice@example.org>")
        self.assertEqual(clean["size"], str(len(mails.plain("clean", b"x\n"))))
        self.assertRegex(clean["status"], r"^sent \(250 2\.0\.0 \[%s\] Ok: taken\)$" % clean["id"])
        self.assertIn("127.0.0.1]:%d" % self.customer.port, clean["relay"])
        self.assertEqual(two["nrcpt"], "2")
        self.assertEqual(virus["verdict"], "infected")
        self.assertIn(appliance.EICAR_NAME, virus["sig"])
        self.assertEqual((virus["dsn"], virus["relay"]), ("5.7.1", "-"))
        self.assertIn(virus["id"], self.replies[2][1])
        self.assertRegex(virus["status"], r"^(rejected|bounced) \(554 5\.7\.1 ")
        self.assertRegex(full["status"], r"^deferred \(452 4\.2\.2 \[%s\] .*Box is full" %
                         full["id"])
        self.assertIn("552 5.3.4", large["status"])
        self.assertIn("550 5.5.2", bare["status"])
        self.assertNotIn("sent", cut["status"].split(" ")[0])

    def test_the_id_is_in_the_received_field(self):
        received = dict(self.customer.taken[0].fields)["received"]
        self.assertIn(" id %s " % self.records[0]["id"], received.replace("\t", " ") + " ")

    def test_status(self):
        status = self.appliance.status()
        self.assertTrue(status["dataplane"]["linked"])
        self.assertEqual(len(status["workers"]), 1)
        self.assertEqual(status["counters"]["scanners_ready"], 2)
        self.assertEqual(status["counters"]["control_ready"], 1)
        text = appliance.postern("status", "-c", self.appliance.config_path)
        self.assertEqual(text.returncode, 0)
        self.assertIn("ready", text.stdout)
        self.assertIn("message_delivered", text.stdout)

    def test_ping(self):
        result = self.appliance.inside("ping", "-n", "-c", 3, "-i", 0.2, "-W", 2,
                                       appliance.ADDRESS)
        self.assertEqual(result.returncode, 0, result.stdout)
        result = self.appliance.inside("ping", "-n", "-c", 2, "-i", 0.2, "-s", 1400, "-W", 2,
                                       appliance.ADDRESS)
        self.assertEqual(result.returncode, 0, result.stdout)

    def test_arp(self):
        result = self.appliance.inside("arping", "-c", 2, "-w", 3, "-I", self.appliance.interface,
                                       appliance.ADDRESS)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        result = self.appliance.inside("arping", "-c", 1, "-w", 1, "-I", self.appliance.interface,
                                       "198.18.0.77")
        self.assertNotEqual(result.returncode, 0, "answered for an address that is not ours")

    def test_other_ports_refuse(self):
        from session import socket_in
        with socket_in(self.appliance.namespace) as other:
            other.settimeout(5)
            with self.assertRaises(ConnectionRefusedError):
                other.connect((appliance.ADDRESS, 26))


class Json(unittest.TestCase):
    def test_log_as_json(self):
        customer = Customer()
        self.addCleanup(customer.stop)
        with appliance.Appliance([appliance.customer("example", ["example.org"], customer.port)],
                                 {"log": {"format": "json"}}) as box:
            self.assertEqual(box.send(mails.plain("clean", b"x\n"))[0], 250)
            session = box.connect()
            session.ehlo()
            session.say("MAIL FROM:<a@example.net>")
            session.say("RCPT TO:<a@unknown.example>")
            session.close()

            def lines():
                return [json.loads(line) for line in box.log().splitlines()
                        if line.startswith("{")]
            appliance.wait_for(lambda: len(lines()) >= 2, 5, "two records")
            message = [line for line in lines() if line.get("verdict") == "clean"][0]
            when = datetime.datetime.fromisoformat(message["ts"].replace("Z", "+00:00"))
            self.assertLess(abs(when.timestamp() - time.time()), 60)
            for key in ("id", "client", "helo", "from", "to", "size", "verdict", "decided_by",
                        "relay", "status"):
                self.assertIn(key, message)
            for record in lines():
                for value in record.values():
                    self.assertNotIsInstance(value, dict)


class End(unittest.TestCase):
    def setUp(self):
        self.customer = Customer(delays={"end": 2})
        self.addCleanup(self.customer.stop)
        self.appliance = appliance.Appliance(
            [appliance.customer("example", ["example.org"], self.customer.port)])
        self.addCleanup(self.appliance.stop)
        self.appliance.start()

    def test_usr_signals_end_nothing(self):
        """A log rotation's habit, at every process there is."""
        processes = self.appliance.processes()
        before = {process.pid for process in processes}
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            self.appliance.process.send_signal(number)
            for process in processes:
                process.signal(number)
        time.sleep(0.5)
        self.assertIsNone(self.appliance.process.poll())
        self.assertEqual({process.pid for process in self.appliance.processes()}, before)
        self.assertEqual(self.appliance.send(mails.plain("usr", b"x\n"))[0], 250)

    def test_term_drains(self):
        """The message in flight is finished; newcomers are told; exit code 0."""
        replies = []
        idle = self.appliance.connect()
        idle.ehlo()
        sender = threading.Thread(
            target=lambda: replies.append(self.appliance.send(mails.plain("last", b"x\n"))))
        sender.start()
        appliance.wait_for(lambda: self.appliance.counters()["relay_jobs"] == 1, 5, "relaying")
        self.appliance.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        try:
            late = self.appliance.connect(timeout=3, greet=False)
            code, text = late.reply()
            if code == 220:  # greeted, then: no new transaction
                code, text = late.say("EHLO late.example")
                if code == 250:
                    code, text = late.say("MAIL FROM:<late@example.net>")
            self.assertEqual((code, text[:6]), (421, "4.3.2 "))
            late.close()
        except (OSError, EOFError):
            pass  # refused: as clear
        try:
            code, text = idle.say("MAIL FROM:<idle@example.net>")
            self.assertEqual((code, text[:6]), (421, "4.3.2 "))
        except (OSError, EOFError):
            pass
        idle.close()
        sender.join(20)
        self.assertEqual([code for code, _ in replies], [250])
        self.assertEqual(len(self.customer.taken), 1)
        self.assertEqual(self.appliance.process.wait(20), 0)
        self.assertEqual(self.appliance.processes(), [])

    def test_interrupt(self):
        self.appliance.process.send_signal(signal.SIGINT)
        self.assertEqual(self.appliance.process.wait(20), 0)

    def test_supervisor_killed(self):
        """Without `postern run`, nothing of it stays behind."""
        processes = self.appliance.processes()
        self.assertGreaterEqual(len(processes), 4)
        self.appliance.process.kill()
        self.appliance.process.wait()
        appliance.wait_for(lambda: not any(process.alive() for process in processes), 20,
                           "all processes gone")

    def test_reload_with_a_broken_file_changes_nothing(self):
        self.customer.delays.clear()
        good = self.appliance.config_path.read_text()
        self.appliance.config_path.write_text("colour: blue\n" + good)
        self.appliance.process.send_signal(signal.SIGHUP)
        appliance.wait_for(lambda: re.search(r":1:1: ", self.appliance.log()), 5,
                           "the error in the log")
        self.assertEqual(self.appliance.send(mails.plain("still", b"x\n"))[0], 250)

    def test_status_with_a_broken_file(self):
        """How the appliance is can be seen although its file is broken: by what stands there."""
        box = self.appliance
        good = box.config_path.read_text()
        try:
            box.config_path.write_text(good + "colour: blue\n")
            result = appliance.postern("status", "-c", box.config_path, "--json")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertIn("colour", result.stderr)
            self.assertIn("%s/control.sock, by its runtime_directory" %
                          box.config["runtime_directory"], result.stderr)
            self.assertIn('"counters"', result.stdout)
            box.config_path.write_text("nothing: of use\n")
            result = appliance.postern("status", "-c", box.config_path)
            self.assertIn("/run/postern/control.sock, the default", result.stderr)
        finally:
            box.config_path.write_text(good)

    def test_processes_give_up_root(self):
        import pwd
        for program, user in (("postern-control", "postern"),
                              ("postern-scanner", "postern-scanner")):
            uid = pwd.getpwnam(user).pw_uid
            processes = (self.appliance.scanner_children() if program == "postern-scanner"
                         else [self.appliance.process_of(program)])
            self.assertTrue(processes)
            for process in processes:
                with self.subTest(program=program, pid=process.pid):
                    with open("/proc/%d/status" % process.pid, encoding="ascii") as file:
                        status = file.read()
                    self.assertEqual(re.search(r"^Uid:\t(.*)$", status, re.M).group(1).split(),
                                     [str(uid)] * 4)
                    self.assertRegex(status, r"(?m)^CapEff:\t0+$")
                    self.assertRegex(status, r"(?m)^NoNewPrivs:\t1$")


class Reload(unittest.TestCase):
    """One file, one number, all programs."""

    def setUp(self):
        self.customer = Customer()
        self.addCleanup(self.customer.stop)
        self.appliance = appliance.Appliance(
            [appliance.customer("example", ["example.org"], self.customer.port)])
        self.addCleanup(self.appliance.stop)
        self.appliance.start()

    def programs(self):
        return {line["program"]: line for line in self.appliance.status().get("programs", [])}

    def all_have(self, number):
        programs = self.programs()
        # Control that has just come back may not have heard yet what to show.
        return len(programs) == 3 and all(
            line.get("configuration") == number and line["refused"] == 0
            for line in programs.values())

    def reload(self, number):
        self.appliance.process.send_signal(signal.SIGHUP)
        appliance.wait_for(lambda: self.all_have(number), 10, "number %d everywhere" % number)

    def test_every_program_has_the_same_number(self):
        appliance.wait_for(lambda: self.all_have(1), 10, "number 1 everywhere")
        # Nobody but root can read it; control is not root any more.
        self.appliance.config_path.chmod(0o600)
        text = self.appliance.config_path.read_text()
        self.appliance.config_path.write_text(text.replace("example.org", "example.com"))
        self.reload(2)
        message = mails.plain("new", b"x\n")
        self.assertEqual(self.appliance.send(message, recipients=["a@example.org"])[0], 554)
        self.assertEqual(self.appliance.send(message, recipients=["a@example.com"])[0], 250)
        # What is wrong is nobody's, and nobody's number changes.
        self.appliance.config_path.write_text("colour: blue\n" + text)
        self.appliance.process.send_signal(signal.SIGHUP)
        appliance.wait_for(lambda: "was not reloaded" in self.appliance.log(), 10, "refused")
        self.appliance.config_path.write_text(text)  # for `postern status -c`
        self.assertTrue(self.all_have(2))
        self.assertEqual(self.appliance.status()["configuration"]["number"], 2)

    def test_a_program_that_comes_back_has_the_newest(self):
        self.reload(2)
        os.kill(self.appliance.process_of("postern-control").pid, signal.SIGKILL)
        appliance.wait_for(lambda: "starting it again" in self.appliance.log(), 10, "its death")

        def back():
            try:
                return self.all_have(2)
            except AssertionError:  # nobody answers yet
                return False
        appliance.wait_for(back, 10, "control is back with number 2")

    def test_a_slow_sender_holds_nobody_up(self):
        session = self.appliance.connect()
        session.ehlo()
        session.say("MAIL FROM:<slow@example.net>")
        session.say("RCPT TO:<a@example.org>")
        self.assertEqual(session.say("DATA")[0], 354)
        session.raw(b"Subject: slow\r\n\r\nbegun\r\n")
        for number in range(2, 11):  # more than may stay in memory at once
            self.reload(number)
            oldest = self.programs()["postern-dataplane"]["oldest_in_use"]
            if number <= 8:
                self.assertEqual(oldest, 1)
        self.assertIn("messages that began under number 1 go on by number 9", self.appliance.log())
        session.raw(b"and done\r\n.\r\n")
        self.assertEqual(session.reply()[0], 250)
        session.close()
        appliance.wait_for(lambda: self.programs()["postern-dataplane"]["oldest_in_use"] == 10, 10,
                           "nothing goes by an older one")


class Idle(unittest.TestCase):
    def test_adaptive_idle_leaves_the_core_alone(self):
        customer = Customer()
        self.addCleanup(customer.stop)
        with appliance.Appliance(
                [appliance.customer("example", ["example.org"], customer.port)]) as box:
            time.sleep(1)
            dataplane = box.process_of("postern-dataplane")
            before = dataplane.ticks()
            time.sleep(3)
            used = (dataplane.ticks() - before) / 100 / 3
            self.assertLess(used, 0.6, "an idle dataplane uses %d %% of a core" % (used * 100))
