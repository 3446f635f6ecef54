"""The outside end of a guest's cable, looked at frame by frame: every checksum of what the guest
sends is computed anew, and frames can be sent whose checksums are wrong on purpose.
"""

import socket
import struct
import threading

PACKET_OUTGOING = 4
ETH_P_ALL = 3
IPV4, IPV6 = 0x0800, 0x86dd
ICMP, TCP, ICMP6 = 1, 6, 58
SYN, ACK = 0x02, 0x10


def internet_sum(data):
    """RFC 1071; 0 over data that holds its right checksum."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff


def pseudo_header(source, destination, protocol, length):
    return source + destination + struct.pack(">IHBB", length, 0, 0, protocol)


class Segment:
    """What a frame holds. `wrong` names the checksums that are not right."""

    def __init__(self, frame):
        self.kind = ""
        self.wrong = []
        self.flags = 0
        self.source = self.destination = b""
        ether_type = struct.unpack_from(">H", frame, 12)[0]
        if ether_type == IPV4:
            self._ipv4(frame[14:])
        elif ether_type == IPV6:
            self._ipv6(frame[14:])

    def _ipv4(self, packet):
        header = (packet[0] & 15) * 4
        self.source, self.destination = packet[12:16], packet[16:20]
        if internet_sum(packet[:header]) != 0:
            self.wrong.append("ip")
        payload = packet[header:struct.unpack_from(">H", packet, 2)[0]]
        self._payload(packet[9], payload, {TCP: "tcp4", ICMP: "icmp4"})

    def _ipv6(self, packet):
        self.source, self.destination = packet[8:24], packet[24:40]
        payload = packet[40:40 + struct.unpack_from(">H", packet, 4)[0]]
        self._payload(packet[6], payload, {TCP: "tcp6", ICMP6: "icmp6"})

    def _payload(self, protocol, payload, kinds):
        self.kind = kinds.get(protocol, "")
        if not self.kind:
            return
        summed = payload
        if protocol != ICMP:
            summed = pseudo_header(self.source, self.destination, protocol, len(payload)) + payload
        if internet_sum(summed) != 0:
            self.wrong.append(self.kind)
        if protocol == TCP:
            self.flags = payload[13]
            self.ports = struct.unpack_from(">HH", payload)


class Wire:
    """Listens at `interface` while it is used as a context manager; `segments` grows."""

    def __init__(self, interface):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.socket.bind((interface, ETH_P_ALL))
        self.socket.settimeout(0.1)
        self.mac = self.socket.getsockname()[4]
        self.segments = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def _listen(self):
        while not self._ended.is_set():
            try:
                frame, where = self.socket.recvfrom(65536)
            except TimeoutError:
                continue
            if where[2] != PACKET_OUTGOING:
                self.segments.append(Segment(frame))

    def send(self, frame):
        self.socket.send(frame)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join(5)
        self.socket.close()


def syn(wire, destination_mac, source, destination, port, wrong=()):
    """A SYN to port 25; `wrong` may name "ip" and "tcp", whose checksums are then off by one."""
    source, destination = socket.inet_aton(source), socket.inet_aton(destination)

    def fix(header, at, spoilt, summed):
        return header[:at] + struct.pack(">H", internet_sum(summed) ^ (1 if spoilt else 0)) + \
            header[at + 2:]

    tcp = struct.pack(">HHIIBBHHH", port, 25, 1000, 0, 5 << 4, SYN, 65535, 0, 0)
    tcp = fix(tcp, 16, "tcp" in wrong,
              pseudo_header(source, destination, TCP, len(tcp)) + tcp)
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0, 64, TCP, 0) + source + destination
    ip = fix(ip, 10, "ip" in wrong, ip)
    return destination_mac + wire.mac + struct.pack(">H", IPV4) + ip + tcp
