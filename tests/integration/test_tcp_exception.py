"""What is not mail on a shared port: it goes to the kernel through the exception interface and back,
and mail goes on meanwhile.

The port is one end of a veth pair; beside it, in a namespace of its own, the "machine" whose only
network card that port is: it sees the network through the exception interface alone.
"""

import pathlib
import shutil
import socket
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "links"))

import appliance  # noqa: E402
import bed  # noqa: E402
import mails  # noqa: E402
from customers import Customer  # noqa: E402
from session import socket_in  # noqa: E402

OTHER = "198.18.0.20"  # the kernel's own addresses
OTHER6 = "2001:db8:1::20"
SIZE = 300000


@unittest.skipUnless(shutil.which("ethtool"), "ethtool is missing")
class Exceptions(unittest.TestCase):
    kind = "af_packet"

    def setUp(self):
        self.customer = Customer()
        self.addCleanup(self.customer.stop)
        self.box = bed.Bed(
            [appliance.customer("example", ["example.org"], self.customer.port)],
            kind=self.kind, joined="bridge" if self.kind == "tap" else "direct",
            port={"exception_interface": "host"})
        self.addCleanup(self.box.stop)
        self.machine = self.box.add_namespace("-m")
        self.box.quiet(self.machine, 0)
        self.box.config["ports"][0]["exception_namespace"] = self.machine
        self.box.write_config()
        self.box.start()
        for address in (appliance.ADDRESS + "/24", OTHER + "/24", bed.ADDRESS6 + "/64",
                        OTHER6 + "/64"):
            appliance.ip("-n", self.machine, "address", "add", address, "dev", "host",
                         *(["nodad"] if ":" in address else []))
        appliance.ip("-n", self.machine, "link", "set", "host", "up")

    def serve(self, namespace, address, port):
        """Sends back what comes, in upper case, on one connection after another."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listener = socket_in(namespace, family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(8)
        self.addCleanup(listener.close)

        def echo():
            try:
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        content = b""
                        while len(content) < SIZE:
                            more = connection.recv(65536)
                            if not more:
                                break
                            content += more
                        connection.sendall(content.upper())
            except OSError:
                pass
        threading.Thread(target=echo, daemon=True).start()

    def talk(self, namespace, address, port):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        content = b"a shared port, both ways. " * (SIZE // 26)
        content += b"." * (SIZE - len(content))
        with socket_in(namespace, family) as connection:
            connection.settimeout(20)
            connection.connect((address, port))
            connection.sendall(content)
            got = b""
            while len(got) < SIZE:
                more = connection.recv(65536)
                if not more:
                    break
                got += more
        self.assertEqual(got, content.upper())

    def ping(self, namespace, address):
        result = appliance.command("ip", "netns", "exec", namespace, "ping", "-c", 3, "-i", 0.05,
                                   "-W", 2, "-q", address)
        self.assertEqual(result.returncode, 0, "%s: %s%s" % (address, result.stdout,
                                                             result.stderr))

    def everything(self):
        box = self.box
        self.ping(box.client, OTHER)
        self.ping(box.client, OTHER6)
        self.ping(box.client, appliance.ADDRESS)
        self.ping(box.client, bed.ADDRESS6)
        self.ping(self.machine, appliance.NEIGHBOUR)
        self.ping(self.machine, bed.NEIGHBOUR6)
        for address in (appliance.ADDRESS, OTHER, bed.ADDRESS6, OTHER6):
            self.serve(self.machine, address, 2222)
            self.talk(box.client, address, 2222)
        # The kernel's own port 25 on its own address is its own.
        self.serve(self.machine, OTHER, 25)
        self.talk(box.client, OTHER, 25)
        for address in (appliance.NEIGHBOUR, bed.NEIGHBOUR6):
            self.serve(box.client, address, 3333)
            self.talk(self.machine, address, 3333)

    def test_shared_port(self):
        stop = threading.Event()
        sent = []

        def mail(family):
            while not stop.is_set():
                session = self.box.session(family, 20)
                session.ehlo()
                sent.append(session.send(mails.plain("m", b"x\n" * 2000))[0])
                session.close()

        workers = [threading.Thread(target=mail, args=(family,)) for family in (4, 6)]
        for worker in workers:
            worker.start()
        try:
            self.everything()
        finally:
            stop.set()
            for worker in workers:
                worker.join()
        self.assertEqual(set(sent), {250})
        self.assertGreater(len(sent), 10)
        counters = bed.settled(self.box)
        self.assertEqual(len(self.customer.taken), len(sent))
        self.assertGreater(counters["to_kernel"], 500)
        self.assertGreater(counters["from_kernel"], 500)
        self.assertGreater(counters["frame_other_port"], 100)
        self.assertEqual(counters["tcp_in_no_listener"], 0)
        print("      %s: %d mails meanwhile; %d frames to the kernel, %d from it" %
              (self.kind, len(sent), counters["to_kernel"], counters["from_kernel"]), flush=True)


class ExceptionsOnTap(Exceptions):
    kind = "tap"
