#!/usr/bin/python3
"""A customer's server for the relay's tests, on 127.0.0.1 and a port of the kernel's choice.

usage: server.py DIRECTORY JSON [PORT]

JSON is either settings for a real SMTP server (aiosmtpd):
  {"offers": ["PIPELINING"], "without": ["8BITMIME"], "mail": REPLY, "rcpt": {ADDRESS: REPLY},
   "data": REPLY, "final": REPLY}
or a list of scripts, one a connection (the last one serves all further ones). A script is a list of
steps: ["send", TEXT], ["drip", TEXT] (a byte at a time), ["line", N] (read N lines),
["data"] (read up to the end of data), ["read", N] (read N bytes), ["wait", SECONDS], ["slow", N] (read N
bytes a second), ["hang"], ["reset"]. {"scripts": LIST, "buffer": BYTES} takes no more than about BYTES before they
are read.
After the last step the connection is closed.

Prints "port N" when it listens. In DIRECTORY: `connections` has a byte for each connection accepted,
`message.N` the bytes of the Nth message, `message.N.json` its envelope.
"""
import json
import os
import socket
import struct
import sys


class Recorder:
    def __init__(self, directory):
        self.directory = directory
        self.messages = 0

    def connected(self):
        with open(os.path.join(self.directory, "connections"), "ab") as file:
            file.write(b".")

    def message(self, envelope, content):
        path = os.path.join(self.directory, "message.%d" % self.messages)
        self.messages += 1
        with open(path + ".json", "w") as file:
            json.dump(envelope, file)
        with open(path, "wb") as file:
            file.write(content)


def real_server(recorder, settings, listening):
    import asyncio

    from aiosmtpd.smtp import SMTP

    class Handler:
        async def handle_EHLO(self, server, session, envelope, hostname, responses):
            session.host_name = hostname
            last = responses.pop()
            kept = [r for r in responses if r[4:].split(" ")[0] not in settings.get("without", [])]
            return kept + ["250-" + o for o in settings.get("offers", [])] + [last]

        async def handle_MAIL(self, server, session, envelope, address, options):
            if "mail" in settings:
                return settings["mail"]
            envelope.mail_from = address
            envelope.mail_options.extend(options)
            return "250 2.1.0 Sender ok"

        async def handle_RCPT(self, server, session, envelope, address, options):
            reply = settings.get("rcpt", {}).get(address)
            if reply is not None:
                return reply
            envelope.rcpt_tos.append(address)
            return "250 2.1.5 Recipient ok"

        async def handle_DATA(self, server, session, envelope):
            recorder.message({"from": envelope.mail_from, "to": envelope.rcpt_tos,
                              "options": envelope.mail_options, "helo": session.host_name},
                             envelope.original_content)
            return settings.get("final", "250 2.0.0 Ok: queued as 4711")

    class Server(SMTP):
        def connection_made(self, transport):
            recorder.connected()
            super().connection_made(transport)

        async def smtp_DATA(self, argument):
            if "data" in settings:
                await self.push(settings["data"])
                return
            await super().smtp_DATA(argument)

    async def serve():
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: Server(Handler(), hostname="server.example", decode_data=False,
                           data_size_limit=64 * 1024 * 1024, enable_SMTPUTF8=False), sock=listening)
        await server.serve_forever()

    asyncio.run(serve())


class Script:
    def __init__(self, recorder, stream):
        self.recorder = recorder
        self.stream = stream
        self.file = stream.makefile("rb")

    def run(self, steps):
        for step in steps:
            getattr(self, "step_" + step[0])(*step[1:])

    def step_send(self, text):
        self.stream.sendall(text.encode("latin-1"))

    def step_drip(self, text):
        for byte in text.encode("latin-1"):
            self.stream.sendall(bytes([byte]))
            # Lets the other side see it alone.
            select_nothing(0.0005)

    def step_line(self, count):
        for _ in range(count):
            if not self.file.readline():
                raise ConnectionError("closed")

    def step_data(self):
        content = b""
        while True:
            line = self.file.readline()
            if not line:
                raise ConnectionError("closed in mid-data")
            if line == b".\r\n":
                break
            content += line[1:] if line.startswith(b".") else line
        self.recorder.message({}, content)

    def step_read(self, count):
        self.file.read(count)

    def step_wait(self, seconds):
        select_nothing(seconds)

    def step_slow(self, rate):
        while self.stream.recv(max(1, rate // 20)):
            select_nothing(0.05)

    def step_hang(self):
        while self.file.read(65536):
            pass

    def step_reset(self):
        self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def select_nothing(seconds):
    import select
    select.select([], [], [], seconds)


def scripted_server(recorder, scripts, listening):
    import threading

    def serve(stream, steps):
        script = Script(recorder, stream)
        try:
            script.run(steps)
        except OSError:
            pass
        script.file.close()
        stream.close()

    number = 0
    while True:
        stream, _ = listening.accept()
        recorder.connected()
        steps = scripts[min(number, len(scripts) - 1)]
        number += 1
        threading.Thread(target=serve, args=(stream, steps), daemon=True).start()


def main():
    recorder = Recorder(sys.argv[1])
    settings = json.loads(sys.argv[2])
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if "buffer" in settings:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, settings["buffer"])
        settings = settings["scripts"]
    listening.bind(("127.0.0.1", int(sys.argv[3]) if len(sys.argv) > 3 else 0))
    listening.listen(64)
    print("port %d" % listening.getsockname()[1], flush=True)
    if isinstance(settings, list):
        scripted_server(recorder, settings, listening)
    else:
        real_server(recorder, settings, listening)


if __name__ == "__main__":
    main()
