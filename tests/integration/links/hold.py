"""Senders that take what they can get and keep it: kernel TCP connections, a thread each.

    hold.py ADDRESS PORT COUNT KIND RECIPIENT SOURCE [SOURCE ...]

KIND pipeline: a small message whose answer never comes, then commands behind its final dot, the
last one unfinished. KIND fill: DATA, 330 KB, and no end. Says "ready N" when N of COUNT connections
have come so far (fill: have asked for DATA) and the others have ended, or after a while; one line of
JSON when standard input ends.
"""

import json
import os
import resource
import socket
import sys
import threading
import time

PATIENCE = 40
FILL = (b"x" * 98 + b"\r\n") * 3300
BEHIND = b"NOOP\r\n" * 300 + b"RSET"


class Holder(threading.Thread):
    def __init__(self, target, source, kind, recipient):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
        self.target, self.source, self.kind, self.recipient = target, source, kind, recipient
        self.ready = self.over = False
        self.sent = 0
        self.heard = []

    def run(self):
        try:
            self.hold()
        except (OSError, EOFError) as error:
            self.heard.append(repr(error))
        self.over = True

    def expect(self, replies, command=None):
        if command is not None:
            self.socket.sendall(command)
        while True:
            line = replies.readline()
            if not line:
                raise EOFError("closed")
            if line[3:4] != b"-":
                break
        if line[:1] not in b"23":
            raise EOFError(line.decode())

    def hold(self):
        self.socket.bind((self.source, 0))
        self.socket.connect(self.target)
        replies = self.socket.makefile("rb")
        self.expect(replies)
        for command in (b"EHLO hold.example.net\r\n", b"MAIL FROM:<hold@example.net>\r\n",
                        b"RCPT TO:<" + self.recipient + b">\r\n"):
            self.expect(replies, command)
        self.ready = self.kind == "fill"  # where there is no room its 354 is not to be waited for
        self.expect(replies, b"DATA\r\n")
        if self.kind == "pipeline":
            self.socket.sendall(b"Subject: held\r\n\r\nx\r\n.\r\n")
            time.sleep(0.5)  # it is the appliance's by now: what follows lies in a block of its own
            self.sent = self.socket.send(BEHIND)
            self.ready = True
        else:
            while self.sent < len(FILL):
                self.sent += self.socket.send(FILL[self.sent:self.sent + 16384])
        while True:
            line = replies.readline()
            if not line:
                raise EOFError("closed")
            self.heard.append(line.decode().strip())


def main():
    target = (sys.argv[1], int(sys.argv[2]))
    count, kind = int(sys.argv[3]), sys.argv[4]
    recipient, sources = sys.argv[5].encode(), sys.argv[6:]
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + 100, count + 100))
    threading.stack_size(256 * 1024)
    holders = [Holder(target, sources[i % len(sources)], kind, recipient) for i in range(count)]
    for at in range(0, count, 20):
        for holder in holders[at:at + 20]:
            holder.start()
        time.sleep(0.02)
    until = time.monotonic() + PATIENCE
    while not all(holder.ready or holder.over for holder in holders) and time.monotonic() < until:
        time.sleep(0.05)
    print("ready %d" % sum(holder.ready and not holder.over for holder in holders), flush=True)
    sys.stdin.read()
    endings = {}
    for holder in holders:
        last = holder.heard[-1][:60] if holder.heard else "-"
        endings[last] = endings.get(last, 0) + 1
    print(json.dumps({"open": sum(not holder.over for holder in holders),
                      "bytes": sum(holder.sent for holder in holders),
                      "endings": endings}), flush=True)
    os._exit(0)


main()
