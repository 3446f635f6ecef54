"""What a sender was not told 2xx for is not delivered behind its back."""

import socket
import struct
import threading
import time
import unittest

import appliance
import mails
from customers import Customer


class SlowReader:
    """A customer's server that takes `rate` bytes a second of a message."""

    def __init__(self, rate):
        self.rate = rate
        self.taken = 0
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        try:
            # A thread that waits in accept() is woken by this, not by close(): it could go on with
            # whatever socket gets the same descriptor next.
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            connection.sendall(b"220 slow\r\n")
            for reply in (b"250 slow", b"250 ok", b"250 ok", b"354 go on"):
                connection.recv(4096)
                connection.sendall(reply + b"\r\n")
            tail = b""
            while not tail.endswith(b"\r\n.\r\n"):
                piece = connection.recv(max(1, self.rate // 20))
                if not piece:
                    return
                tail = (tail + piece)[-5:]
                time.sleep(0.05)
            self.taken += 1
            connection.sendall(b"250 taken\r\n")
        except OSError:
            pass
        finally:
            connection.close()


class NoIsNo(unittest.TestCase):
    def box(self, port, **limits):
        box = appliance.Appliance([appliance.customer("example", ["example.org"], port)],
                                  {"limits": limits, "scanner": {"time_limit": "2s"}})
        self.addCleanup(box.stop)
        return box.start()

    def test_sender_leaves(self):
        """Before the customer has heard MAIL."""
        server = Customer(delays={"greeting": 2})
        self.addCleanup(server.stop)
        box = self.box(server.port)
        for number in range(5):
            session = box.connect()
            session.ehlo()
            session.say("MAIL FROM:<sender@example.net>")
            session.say("RCPT TO:<alice@example.org>")
            session.say("DATA")
            session.raw(mails.plain("gone %d" % number, b"x\n") + b".\r\n")
            time.sleep(0.3)
            # A reset: an end of file alone would leave the sender able to hear the answer.
            session.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            session.close()
        counters = box.wait_idle(5)
        time.sleep(3)
        self.assertEqual(server.taken, [])
        self.assertEqual(counters["message_abandoned"], 5)
        self.assertEqual(counters["relay_withdrawn"], 5)

    def test_time_is_over(self):
        """The sender hears 451 at its limit; the customer is not sent the mail afterwards."""
        server = Customer(delays={"data": 4})
        self.addCleanup(server.stop)
        box = self.box(server.port, verdict_timeout="3s")
        code, text = box.send(mails.plain("late", b"x\n"))
        self.assertEqual(code, 451, text)
        box.wait_idle(2)
        time.sleep(3)
        self.assertEqual(server.taken, [])
        self.assertEqual(server.ended, 0)

    def test_slow_reader(self):
        """Memory is back when the senders have been answered, not when the server has read."""
        server = SlowReader(32768)
        self.addCleanup(server.stop)
        box = self.box(server.port, verdict_timeout="4s", message_size="8M")
        message = mails.plain("large", b"0123456789abcde\n" * 200000)
        codes = [code for code, _ in appliance.in_threads(4, lambda number: box.send(message))]
        self.assertEqual(codes, [451] * 4)
        box.wait_idle(5)
        time.sleep(1)
        self.assertEqual(server.taken, 0)


if __name__ == "__main__":
    unittest.main()
