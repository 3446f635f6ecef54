"""What the customer's server does decides what the sender hears; nothing is lost or doubled."""

import threading
import time
import unittest

import appliance
import mails
from customers import CLOSE, HANG, Customer, port_nobody_listens_on

# name: (replies, other arguments, the sender's code, beginning of the text; None: the customer's)
BEHAVIOURS = {
    "good": ({}, {}, 250, "2.0.0 "),
    "mail530": ({"mail": "530 5.7.0 Must issue a STARTTLS command first"}, {}, 451, "4.3.5 "),
    "end535": ({"end": "535 5.7.8 Who are you"}, {}, 451, "4.3.5 "),
    "slow": ({}, {"delays": {"end": 1.5}}, 250, "2.0.0 "),
    "mail450": ({"mail": "450 4.1.8 Not from there"}, {}, 450, "4.1.8 "),
    "mail550": ({"mail": "550 5.1.8 Not from there"}, {}, 550, "5.1.8 "),
    "rcpt450": ({"rcpt": "450 4.2.1 Busy box"}, {}, 450, "4.2.1 "),
    "rcpt550": ({"rcpt": "550 5.1.1 No such box"}, {}, 550, "5.1.1 "),
    "data450": ({"data": "450 4.3.0 Not now"}, {}, 450, "4.3.0 "),
    "data550": ({"data": "550 5.3.0 Not here"}, {}, 550, "5.3.0 "),
    "end450": ({"end": "450 4.7.1 Grey"}, {}, 450, "4.7.1 "),
    "end550": ({"end": "550 5.7.1 Spam"}, {}, 550, "5.7.1 "),
    "end552": ({"end": "552-5.2.2 Full\r\n552 5.2.2 really"}, {}, 552, "5.2.2 "),
    "greeting421": ({"greeting": "421 4.3.2 Shutting down"}, {}, 451, "4.4.1 "),
    "greeting554": ({"greeting": "554 5.3.2 Go away"}, {}, 451, "4.4.1 "),
    "close_greeting": ({"greeting": CLOSE}, {}, 451, "4.4."),
    "close_mail": ({"mail": CLOSE}, {}, 451, "4.4."),
    "close_in_data": ({}, {"close_after": 20000}, 451, "4.4."),
    "close_at_end": ({"end": CLOSE}, {}, 451, "4.4."),
    "hang_greeting": ({"greeting": HANG}, {}, 451, "4.4."),
    "hang_mail": ({"mail": HANG}, {}, 451, "4.4."),
    "hang_data": ({"data": HANG}, {}, 451, "4.4."),
    "hang_end": ({"end": HANG}, {}, 451, "4.4."),
    "nonsense": ({"mail": "what?"}, {}, 451, "4."),
    "endless": ({"mail": "250-" + "x" * 100000}, {}, 451, "4."),
}


class Behaviours(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.customers = {}
        entries = []
        short = {"connect_timeout": "2s", "command_timeout": "2s", "data_timeout": "3s"}
        for name, (replies, others, _, _) in BEHAVIOURS.items():
            server = Customer(replies, **others)
            cls.addClassCleanup(server.stop)
            cls.customers[name] = server
            entries.append(appliance.customer(
                name.replace("_", "-"), [name.replace("_", "-") + ".example"], server.port,
                route=short))
        entries.append(appliance.customer("down", ["down.example"], port_nobody_listens_on(),
                                          route=short))
        cls.appliance = appliance.Appliance(entries)
        cls.addClassCleanup(cls.appliance.stop)
        cls.appliance.start()

    def test_each(self):
        """All at once, so that one customer's hanging server is seen not to hold up another's."""
        names = list(BEHAVIOURS)
        # Large enough that the connection breaks while data is on its way.
        messages = {name: mails.plain("for " + name, b"0123456789abcde\n" * 4000, identity=name)
                    for name in names}
        times = {}
        before = {name: len(self.customers[name].taken) for name in names}
        ended = {name: self.customers[name].ended for name in names}

        def send(number):
            name = names[number]
            started = time.monotonic()
            result = self.appliance.send(
                messages[name], recipients=["a@%s.example" % name.replace("_", "-")])
            times[name] = time.monotonic() - started
            return result

        replies = dict(zip(names, appliance.in_threads(len(names), send)))
        for name, (_, _, wanted, beginning) in BEHAVIOURS.items():
            with self.subTest(behaviour=name):
                code, text = replies[name]
                self.assertEqual(code, wanted, text)
                self.assertTrue(text.startswith(beginning), text)
                taken = [one.message for one in self.customers[name].taken[before[name]:]]
                self.assertEqual(taken, [messages[name]] if wanted == 250 else [])
                self.assertLessEqual(self.customers[name].ended - ended[name], 1, "sent twice")
        self.assertLess(times["good"], 2, "held up by another customer's server")

    def test_down(self):
        code, text = self.appliance.send(mails.plain("down", b"x\n"), recipients=["a@down.example"])
        self.assertEqual((code, text[:6]), (451, "4.4.1 "), text)
        # From now on nothing is received for it: RCPT is refused.
        started = self.appliance.counters()["message_started"]

        def refused():
            code, text = self.appliance.send(mails.plain("down", b"x\n"), recipients=["a@down.example"])
            self.assertEqual((code, text[:6]), (451, "4.4.1 "), text)
            return self.appliance.counters()["smtp_route_down"] > 0
        appliance.wait_for(refused, 5, "refused at RCPT")
        self.assertLessEqual(self.appliance.counters()["message_started"] - started, 2)

    def test_down_and_up_again(self):
        server = self.customers["good"]
        message = mails.plain("again", b"x\n", identity="again")
        self.assertEqual(self.appliance.send(message, recipients=["a@good.example"])[0], 250)
        # Whatever connection is kept for re-use, the server closes now.
        server.replies["mail"] = CLOSE
        self.assertEqual(self.appliance.send(message, recipients=["a@good.example"])[0], 451)
        server.replies["mail"] = server.DEFAULT["mail"]
        self.assertEqual(self.appliance.send(message, recipients=["a@good.example"])[0], 250)

    def test_idle_connection_closed_by_the_customer(self):
        """A kept connection that the customer's server has closed meanwhile is no reason for 451."""
        server = Customer()
        self.addCleanup(server.stop)
        with appliance.Appliance(
                [appliance.customer("idle", ["idle.example"], server.port)]) as box:
            message = mails.plain("idle", b"x\n")
            self.assertEqual(box.send(message, recipients=["a@idle.example"])[0], 250)
            with server._lock:
                for connection in server._sockets:
                    connection.shutdown(2)
            time.sleep(0.3)
            code, text = box.send(message, recipients=["a@idle.example"])
            self.assertEqual(code, 250, text)
            self.assertEqual(len(server.taken), 2)


class ManyAtOnce(unittest.TestCase):
    def test_every_reply_is_true(self):
        """Senders and a customer's server that now takes, now defers, now refuses, now breaks off:
        what was answered 250 is there exactly once, and nothing else is."""
        server = Customer()
        self.addCleanup(server.stop)
        replies = ["250 2.0.0 Ok", "450 4.0.0 Later", "550 5.0.0 Never", CLOSE]
        stop = threading.Event()

        def change():
            number = 0
            while not stop.wait(0.02):
                server.replies["end"] = replies[number % len(replies)]
                number += 1

        with appliance.Appliance(
                [appliance.customer("example", ["example.org"], server.port)]) as box:
            changer = threading.Thread(target=change)
            changer.start()
            try:
                def send(thread):
                    results = {}
                    session = box.connect()
                    session.ehlo()
                    for number in range(15):
                        subject = "thread %d number %d" % (thread, number)
                        results[subject] = session.send(mails.plain(subject, b"x\n"))[0]
                    session.close()
                    return results
                said = {}
                for results in appliance.in_threads(10, send):
                    said.update(results)
            finally:
                stop.set()
                changer.join()
            counters = box.wait_idle()
        self.assertEqual(len(said), 150)
        self.assertLessEqual(set(said.values()), {250, 450, 451, 550})
        arrived = {}
        for taken in server.taken:
            subject = taken.message.split(b"Subject: ")[1].split(b"\r\n")[0].decode()
            arrived[subject] = arrived.get(subject, 0) + 1
        self.assertLessEqual(max(arrived.values(), default=0), 1, "delivered twice")
        for subject, code in said.items():
            if code == 250:
                self.assertEqual(arrived.get(subject), 1, "250 was said, and it is not there")
        self.assertEqual(counters["message_delivered"], list(said.values()).count(250))
        self.assertEqual(counters["message_relay_temporary"], list(said.values()).count(450))
        self.assertEqual(counters["message_relay_permanent"], list(said.values()).count(550))
        self.assertEqual(counters["message_no_relay"], list(said.values()).count(451))


class Connections(unittest.TestCase):
    def test_no_more_than_configured(self):
        server = Customer(delays={"end": 0.1})
        self.addCleanup(server.stop)
        with appliance.Appliance([appliance.customer("example", ["example.org"], server.port,
                                                     route={"connections": 3})]) as box:
            codes = appliance.in_threads(
                12, lambda number: box.send(mails.plain("%d" % number, b"x\n"))[0])
        self.assertEqual(codes, [250] * 12)
        self.assertLessEqual(server.connections_max, 3)
        self.assertEqual(len(server.taken), 12)
