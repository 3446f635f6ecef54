"""A crowd of senders to customers whose servers do not keep up: kernel TCP connections, one process.

    crowd.py ADDRESS PORT COUNT INTERVAL SIZE DOMAINS SOURCE [SOURCE ...]

COUNT senders, spread over the source addresses and the domains (joined by commas), begin a mail of
SIZE bytes every INTERVAL seconds each. Who was refused hangs up and comes again; who has no answer
by the next mail hangs up, too, and what it has sent stays behind. INTERVAL 0: each sends one mail
and waits for its answer. Says "ready" when each has begun its first mail, and one line of JSON when
standard input ends, or when all are answered: what became of the mails.
"""

import json
import resource
import select
import socket
import sys
import time


class Sender:
    def __init__(self, crowd, number):
        self.crowd = crowd
        self.domain = crowd.domains[number % len(crowd.domains)].encode()
        self.source = crowd.sources[number % len(crowd.sources)]
        self.due = number / crowd.count * crowd.interval
        self.socket = None
        self.begun = False
        self.done = False

    def begin(self):
        """A new connection, and a mail over it."""
        self.hang_up("left")
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
        self.socket.bind((self.source, 0))
        self.socket.connect_ex(self.crowd.target)
        self.crowd.watch(self, select.EPOLLIN)
        self.heard = b""
        self.replies = 0
        self.unsent = memoryview(b"")
        self.refused = False
        self.crowd.counts["mails"] += 1

    def hang_up(self, what):
        if self.socket is None:
            return
        self.crowd.counts[what] += 1
        self.crowd.forget(self)
        self.socket.close()
        self.socket = None
        self.begun = True
        self.done = True

    def say(self, content):
        self.unsent = memoryview(content)
        self.flush()

    def flush(self):
        while self.unsent:
            try:
                sent = self.socket.send(self.unsent)
            except BlockingIOError:
                break
            self.unsent = self.unsent[sent:]
        self.crowd.watch(self, select.EPOLLIN | (select.EPOLLOUT if self.unsent else 0))

    def hear(self):
        content = self.socket.recv(65536)
        if not content:
            self.hang_up("closed")
            return
        *lines, self.heard = (self.heard + content).split(b"\r\n")
        for line in lines:
            if line[3:4] != b"-" and self.socket is not None:
                self.replies += 1
                self.on_reply(line)

    def on_reply(self, line):
        """Greeting, EHLO, MAIL, RCPT, DATA, end of data."""
        self.refused = self.refused or (line[:1] in b"45" and self.replies < 6)
        if self.replies == 1:
            self.say(b"EHLO crowd.example.net\r\n")
        elif self.replies == 2:
            self.say(b"MAIL FROM:<crowd@example.net>\r\nRCPT TO:<a@" + self.domain +
                     b">\r\nDATA\r\n")
        elif self.refused and self.replies == 5:
            self.hang_up("refused")
        elif self.replies == 5:
            self.begun = True
            self.say(self.crowd.content)
        elif self.replies == 6:
            self.hang_up("taken" if line[:1] == b"2" else "deferred")

    def on_event(self, events):
        try:
            if events & select.EPOLLOUT:
                self.flush()
            if events & ~select.EPOLLOUT:
                self.hear()
        except OSError:
            self.hang_up("closed")


class Crowd:
    def __init__(self, arguments):
        address, port, count, interval, size, domains, *self.sources = arguments
        self.target = (address, int(port))
        self.count = int(count)
        self.interval = float(interval)
        self.domains = domains.split(",")
        self.content = (b"Subject: crowd\r\n\r\n" + b"0123456789abcde\r\n" * (int(size) // 17) +
                        b".\r\n")
        self.counts = dict.fromkeys(("mails", "refused", "left", "taken", "deferred", "closed"), 0)
        self.poll = select.epoll()
        self.watched = {}
        self.senders = [Sender(self, number) for number in range(self.count)]

    def watch(self, sender, events):
        fd = sender.socket.fileno()
        if fd in self.watched:
            self.poll.modify(fd, events)
        else:
            self.watched[fd] = sender
            self.poll.register(fd, events)

    def forget(self, sender):
        del self.watched[sender.socket.fileno()]
        self.poll.unregister(sender.socket)

    def run(self):
        self.poll.register(sys.stdin, select.EPOLLIN)
        started = time.monotonic()
        told = False
        while self.interval > 0 or not all(sender.done for sender in self.senders):
            now = time.monotonic() - started
            for sender in self.senders:
                if now >= sender.due:
                    sender.due = sender.due + self.interval if self.interval > 0 else float("inf")
                    sender.begin()
            if not told and all(sender.begun for sender in self.senders):
                told = True
                print("ready", flush=True)
            for fd, events in self.poll.poll(0.01):
                if fd == sys.stdin.fileno():
                    return
                if fd in self.watched:
                    self.watched[fd].on_event(events)


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    crowd = Crowd(sys.argv[1:])
    crowd.run()
    print(json.dumps(crowd.counts), flush=True)


main()
