"""The customer's mail server, for tests: it answers at every stage what a test tells it to, also
what no server should, and remembers what it took.
"""

import pathlib
import socket
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "platform" / "demo"))

from customer import split_trace  # noqa: E402

CLOSE = "close"  # a reply that is none: the connection ends here
HANG = "hang"  # a reply that never comes


class Taken:
    """A message that was answered 250 (or whatever `end` said, when that is not an error)."""

    def __init__(self, sender, recipients, content):
        self.sender = sender
        self.recipients = recipients
        self.content = content
        self.fields, self.message = split_trace(content)


class Customer:
    """`replies` maps a stage (greeting, ehlo, mail, rcpt, data, end) to a reply, CLOSE or HANG;
    `delays` maps one to seconds; `close_after` closes after so many bytes of data. May be changed
    while it runs."""

    DEFAULT = {"greeting": "220 customer.example ESMTP", "mail": "250 2.1.0 Ok",
               "rcpt": "250 2.1.5 Ok", "data": "354 go ahead", "end": "250 2.0.0 Ok: taken",
               "ehlo": "250-customer.example\r\n250-PIPELINING\r\n250-SIZE\r\n250-8BITMIME\r\n"
                       "250 ENHANCEDSTATUSCODES"}

    def __init__(self, replies=None, delays=None, close_after=None, extra=None, port=0):
        self.replies = dict(self.DEFAULT, **(replies or {}))
        self.delays = delays or {}
        self.close_after = close_after
        self.extra = extra or {}  # recipient -> reply
        self.taken = []
        self.ended = 0  # messages whose end of data was seen, whatever was answered
        self.connections = 0
        self.connections_now = 0
        self.connections_max = 0
        self._lock = threading.Lock()
        self._sockets = set()
        self._stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", port), backlog=256)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self._stopping.set()
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        with self._lock:
            for connection in self._sockets:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._sockets.add(connection)
                self.connections += 1
                self.connections_now += 1
                self.connections_max = max(self.connections_max, self.connections_now)
            threading.Thread(target=self._serve_one, args=(connection,), daemon=True).start()

    def _serve_one(self, connection):
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._serve(connection)
        except (OSError, EOFError):
            pass
        finally:
            with self._lock:
                self._sockets.discard(connection)
                self.connections_now -= 1
            connection.close()

    def _answer(self, connection, stage, reply=None):
        """Raises EOFError when the reply is to end the connection; true when it was positive."""
        if stage in self.delays:
            self._stopping.wait(self.delays[stage])
        reply = reply or self.replies[stage]
        if reply == HANG:
            self._stopping.wait(600)
            raise EOFError
        if reply == CLOSE:
            raise EOFError
        connection.sendall(reply.encode("ascii") + b"\r\n")
        return reply[0] in "23"

    def _serve(self, connection):
        buffer = b""
        sender, recipients = None, []
        if not self._answer(connection, "greeting"):
            return
        while True:
            while b"\r\n" not in buffer:
                more = connection.recv(65536)
                if not more:
                    return
                buffer += more
            line, buffer = buffer.split(b"\r\n", 1)
            verb = line[:4].upper()
            if verb in (b"EHLO", b"HELO"):
                self._answer(connection, "ehlo")
            elif verb == b"MAIL":
                sender, recipients = line.decode("latin-1"), []
                if not self._answer(connection, "mail"):
                    sender = None
            elif verb == b"RCPT":
                address = line.decode("latin-1").split("<", 1)[1].split(">", 1)[0]
                if self._answer(connection, "rcpt", self.extra.get(address)):
                    recipients.append(address)
            elif verb == b"DATA":
                if not recipients:
                    connection.sendall(b"554 5.5.1 no valid recipients\r\n")
                elif self._answer(connection, "data"):
                    content, buffer = self._data(connection, buffer)
                    reply = self.replies["end"]
                    with self._lock:
                        self.ended += 1
                        if reply[0] == "2":
                            self.taken.append(Taken(sender, recipients, content))
                    self._answer(connection, "end", reply)
                    sender, recipients = None, []
            elif verb == b"RSET":
                sender, recipients = None, []
                connection.sendall(b"250 2.0.0 Ok\r\n")
            elif verb == b"NOOP":
                connection.sendall(b"250 2.0.0 Ok\r\n")
            elif verb == b"QUIT":
                connection.sendall(b"221 2.0.0 Bye\r\n")
                return
            else:
                connection.sendall(b"502 5.5.1 unknown\r\n")

    def _data(self, connection, buffer):
        """The message, un-stuffed, and what came behind it."""
        pieces = [b"\r\n", buffer]  # so that a first line "." is found like any other
        length = len(buffer)
        tail = b"\r\n" + buffer
        while b"\r\n.\r\n" not in tail:
            if self.close_after is not None and length >= self.close_after:
                raise EOFError
            more = connection.recv(262144 if self.close_after is None else 4096)
            if not more:
                raise EOFError
            pieces.append(more)
            length += len(more)
            tail = tail[-8:] + more
        content, rest = b"".join(pieces).split(b"\r\n.\r\n", 1)
        content = (content + b"\r\n").replace(b"\r\n..", b"\r\n.")
        return content[2:], rest

    def wait_taken(self, count, seconds=10):
        until = time.monotonic() + seconds
        while len(self.taken) < count and time.monotonic() < until:
            time.sleep(0.02)
        return len(self.taken)


def port_nobody_listens_on():
    """A port at 127.0.0.1 that was free a moment ago and is not handed out again soon."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]
