"""A raw SMTP client: it says exactly what a test tells it to, well-formed or not, from inside a
network namespace.
"""

import ctypes
import os
import socket
import struct
import threading

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def socket_in(namespace, family=socket.AF_INET, kind=socket.SOCK_STREAM, protocol=0):
    """A socket (TCP over IPv4 by default) that lives in a network namespace. A socket keeps the
    namespace of the thread that made it, so a thread that goes there and ends is all it takes."""
    result = []

    def make():
        fd = os.open("/run/netns/" + namespace, os.O_RDONLY)
        try:
            if _libc.setns(fd, CLONE_NEWNET) != 0:
                result.append(OSError(ctypes.get_errno(), "setns"))
            else:
                result.append(socket.socket(family, kind, protocol))
        finally:
            os.close(fd)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if isinstance(result[0], OSError):
        raise result[0]
    return result[0]


class Session:
    def __init__(self, connection, timeout):
        self.socket = connection
        self.socket.settimeout(timeout)
        self.received = b""

    def connect(self, address):
        self.socket.connect(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def raw(self, content):
        self.socket.sendall(content)

    def line(self):
        """The next line without its end; EOFError when the other side has closed."""
        while b"\r\n" not in self.received:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError("closed by the appliance; left: %r" % self.received)
            self.received += more
        line, self.received = self.received.split(b"\r\n", 1)
        return line

    def reply(self):
        """(code, text) of one reply; the lines of a longer one are joined by a newline."""
        texts = []
        while True:
            line = self.line()
            if len(line) < 3 or not line[:3].isdigit() or line[3:4] not in (b"-", b" ", b""):
                raise AssertionError("not a reply: %r" % line)
            texts.append(line[4:].decode("ascii"))
            if line[3:4] != b"-":
                return int(line[:3]), "\n".join(texts)

    def say(self, command):
        """One command and its reply."""
        self.raw(command.encode("latin-1") + b"\r\n")
        return self.reply()

    def ehlo(self, name="sender.example.net"):
        code, text = self.say("EHLO " + name)
        if code != 250:
            raise AssertionError("EHLO: %d %s" % (code, text))
        return text.split("\n")

    @staticmethod
    def stuffed(message):
        """As it goes over the wire, with the end of data; `message` ends with CRLF or is empty."""
        content = message.replace(b"\r\n.", b"\r\n..")
        if content[:1] == b".":
            content = b"." + content
        if content and not content.endswith(b"\r\n"):
            content += b"\r\n"
        return content + b".\r\n"

    def send(self, message, sender="sender@example.net", recipients=("alice@example.org",),
             options=""):
        """A whole transaction; (code, text) of its end, or of what was refused first."""
        code, text = self.say("MAIL FROM:<%s>%s" % (sender, options))
        if code != 250:
            return code, text
        for recipient in recipients:
            code, text = self.say("RCPT TO:<%s>" % recipient)
            if code != 250:
                return code, text
        code, text = self.say("DATA")
        if code != 354:
            return code, text
        self.raw(self.stuffed(message))
        return self.reply()

    def closed(self):
        """True when the other side ends the connection (in order or by a reset) before anything
        else but replies comes; waits for it."""
        try:
            while True:
                if not self.socket.recv(65536):
                    return True
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def finish_sending(self):
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        """Ends the connection with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        self.socket.close()
