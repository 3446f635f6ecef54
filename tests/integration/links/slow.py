"""Slow senders: many kernel TCP connections that say one byte now and then.

    slow.py ADDRESS PORT COUNT IN_DATA SOURCE [SOURCE ...]

Opens COUNT connections spread over the source addresses; the first IN_DATA of them go as far as DATA
and then drip the message, the others drip a command that never ends. Says "ready" when all have been
greeted (and those in DATA invited), and one line of JSON when standard input ends.
"""

import json
import resource
import select
import socket
import sys
import time

BATCH = 200  # handshakes under way at once
PATIENCE = 60
SCRIPT = (b"EHLO slow.example.net\r\n", b"MAIL FROM:<slow@example.net>\r\n",
          b"RCPT TO:<alice@example.org>\r\n", b"DATA\r\n")


class Sender:
    def __init__(self, target, source, script):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
        self.socket.bind((source, 0))
        self.socket.connect_ex(target)
        self.script = list(script)
        self.ready = False
        self.said = 0

    def on_reply(self, content):
        if content[:1] not in (b"2", b"3"):
            return False
        if self.script:
            self.socket.send(self.script.pop(0))
        else:
            self.ready = True
        return True

    def drip(self):
        self.socket.send(b"X" if self.said % 60 else b"Y")
        self.said += 1


def main():
    target = (sys.argv[1], int(sys.argv[2]))
    count, in_data, sources = int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:]
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + 100, count + 100))
    poll = select.epoll()
    senders = {}
    made = ready = lost = 0
    until = time.monotonic() + PATIENCE

    def events(seconds):
        nonlocal ready, lost
        for fd, _ in poll.poll(seconds):
            sender = senders[fd]
            try:
                content = sender.socket.recv(4096)
                good = content and sender.on_reply(content)
            except OSError:
                good = False
            if not good:
                poll.unregister(fd)
                del senders[fd]
                sender.socket.close()
                lost += 1
                ready -= sender.ready
            elif sender.ready:
                ready += 1

    while ready + lost < count and time.monotonic() < until:
        while made < count and made - ready - lost < BATCH:
            sender = Sender(target, sources[made % len(sources)],
                            SCRIPT if made < in_data else ())
            senders[sender.socket.fileno()] = sender
            poll.register(sender.socket, select.EPOLLIN)
            made += 1
        events(0.1)
    print("ready %d" % ready, flush=True)
    turn = list(senders.values())
    place = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        for sender in turn[place:place + 50]:
            try:
                sender.drip()
            except OSError:
                pass
        place = place + 50 if place + 50 < len(turn) else 0
        events(0.02)
    print(json.dumps({"open": len(senders), "lost": lost,
                      "bytes": sum(sender.said for sender in turn)}), flush=True)


main()
