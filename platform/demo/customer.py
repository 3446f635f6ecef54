"""The customer's mail server of the demonstration: a real SMTP server (aiosmtpd) on a port of its
own choosing at 127.0.0.1, which keeps what it was given, and can tell what Postern put in front of
a message from the message itself.
"""

import asyncio
import hashlib
import threading

from aiosmtpd.smtp import SMTP

# What Postern prepends, in this order.
TRACE_FIELDS = (b"received", b"x-virus-scanned", b"x-virus-status")


def split_trace(content):
    """Cuts a received message behind the fields Postern prepends. Returns (list of (name, value)
    with names in lower case, the rest); the list is empty when the first fields are not those."""
    fields = []
    rest = content
    for wanted in TRACE_FIELDS:
        lines = []
        after = rest
        while True:
            end = after.find(b"\r\n")
            if end < 0 or (lines and after[:1] not in (b" ", b"\t")):
                break
            lines.append(after[:end])
            after = after[end + 2:]
        if not lines or lines[0].split(b":", 1)[0].lower() != wanted:
            return [], content
        value = b" ".join(line.strip() for line in lines).split(b":", 1)[1]
        fields.append((wanted.decode("ascii"), value.strip().decode("ascii", "replace")))
        rest = after
    return fields, rest


class Delivery:
    """One message as it arrived."""

    def __init__(self, sender, recipients, content):
        self.sender = sender
        self.recipients = recipients
        self.fields, body = split_trace(content)
        self.bytes = len(body)
        self.sha256 = hashlib.sha256(body).hexdigest()


class CustomerServer:
    """Runs in a thread of its own. `deliveries` is appended to as messages arrive."""

    def __init__(self):
        self.deliveries = []
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._up = threading.Event()

    async def handle_DATA(self, _server, _session, envelope):
        delivery = Delivery(envelope.mail_from, envelope.rcpt_tos, envelope.content)
        self.deliveries.append(delivery)
        return "250 2.0.0 Ok: kept as %d" % len(self.deliveries)

    def _protocol(self):
        return SMTP(self, hostname="mail.customer.example", data_size_limit=64 << 20,
                    enable_SMTPUTF8=False, loop=self._loop)

    async def _listen(self):
        server = await self._loop.create_server(self._protocol, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._up.set()

    def _run(self):
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self._loop.run_forever()

    def start(self):
        self._thread.start()
        if not self._up.wait(10):
            raise RuntimeError("the customer server did not start")

    def stop(self):
        if not self._up.is_set():
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
