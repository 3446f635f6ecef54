#!/usr/bin/env python3
"""readers_test: what mail readers take out of a body under an encoding is among our variants.

    readers_test.py VARIANTS_PRINT [COUNT [SEED]]

Bodies are made by chance out of what readers are known to differ on. Python's email, binascii and uu
are always asked; Perl's decoders, munpack, ripmime, reformime and uudecode when they are there. What
each was asked is printed.
"""

import email
import email.policy
import io
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import uu

NAMES = {"b": b"base64", "q": b"quoted-printable", "u": b"x-uuencode"}
HEAD = (b"MIME-Version: 1.0\r\nContent-Type: application/octet-stream; name=\"a.bin\"\r\n"
        b"Content-Disposition: attachment; filename=\"a.bin\"\r\nContent-Transfer-Encoding: %s\r\n\r\n")


class Coprocess:
    """A program that answers frames: a letter, a length, a body."""

    def __init__(self, command, environment=None):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)

    def number(self):
        return struct.unpack("<I", self.process.stdout.read(4))[0]

    def ask(self, letter, body):
        self.process.stdin.write(letter.encode() + struct.pack("<I", len(body)) + body)
        self.process.stdin.flush()
        return [self.process.stdout.read(self.number()) for _ in range(self.number())]

    def close(self):
        self.process.stdin.close()
        return self.process.wait()


class PythonReader:
    """email.message.Message.get_payload(decode=True), both policies."""
    name = "Python email"
    letters = "bqu"

    def read(self, letter, body):
        mail = HEAD % NAMES[letter] + body
        return [email.message_from_bytes(mail, policy=policy).get_payload(decode=True)
                for policy in (email.policy.compat32, email.policy.default)]


class PythonUu:
    name = "Python uu"
    letters = "u"

    def read(self, letter, body):
        out = io.BytesIO()
        try:
            uu.decode(io.BytesIO(body), out, quiet=True)
        except (uu.Error, ValueError):
            return []
        return [out.getvalue()]


PERL = r"""
use MIME::Base64; use MIME::QuotedPrint; binmode STDIN; binmode STDOUT; $| = 1;
while (read(STDIN, my $head, 5) == 5) {
    my ($letter, $length) = unpack("a1 V", $head);
    my $body = "";
    read(STDIN, $body, $length) if $length;
    my $out = $letter eq "b" ? decode_base64($body) : decode_qp($body);
    print pack("V V", 1, length $out), $out;
}
"""


class PerlReader:
    name = "Perl MIME::Base64, MIME::QuotedPrint"
    letters = "bq"

    def __init__(self):
        self.perl = Coprocess(["perl", "-e", PERL])

    def read(self, letter, body):
        return self.perl.ask(letter, body)


class ProgramReader:
    """A program that writes the attachment of a mail into a folder, or to its output."""
    letters = "bq"

    def __init__(self, name, command, output=False):
        self.name = name
        self.command = command
        self.output = output

    def read(self, letter, body):
        with tempfile.TemporaryDirectory() as folder:
            mail = os.path.join(folder, "mail.eml")
            out = os.path.join(folder, "out")
            os.mkdir(out)
            with open(mail, "wb") as file:
                file.write((HEAD % NAMES[letter] + body).replace(b"\r\n", b"\n"))
            with open(mail, "rb") as file:
                command = [word.format(mail=mail, out=out) for word in self.command]
                done = subprocess.run(command, stdin=file, capture_output=True, cwd=out, check=False)
            if self.output:
                return [done.stdout]
            return [open(os.path.join(out, entry), "rb").read() for entry in os.listdir(out)
                    if entry.startswith("a.bin") or self.name == "uudecode"]


def program_readers():
    found = [ProgramReader("munpack", ["munpack", "-q", "-t", "{mail}"]),
             ProgramReader("ripmime", ["ripmime", "-i", "{mail}", "-d", "{out}"]),
             ProgramReader("reformime", ["reformime", "-e", "-s", "1"], output=True)]
    return [reader for reader in found if shutil.which(reader.command[0])]


def some(chance, *words):
    return chance.choice(words)


def base64_body(chance):
    """Strings, some with padding inside, with rubbish, with lines of odd lengths."""
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    odd = chance.random()
    body = b""
    for _ in range(chance.randrange(1, 6)):
        for _ in range(chance.randrange(0, 12)):
            body += bytes(chance.choice(alphabet) for _ in range(4))
        kind = chance.random()
        if kind < 0.25 * (odd < 0.8):
            body += some(chance, b"QQ==", b"QUI=", b"QQ=", b"QQ", b"QUI", b"Q", b"=", b"==", b"Q=", b"====", b"Q===")
        elif kind < 0.45 * (odd < 0.5):
            body += some(chance, b"!", b"-", b"*Q", b"\t", b" ", b"%%%%", b"_", b"\x80", b"-- \r\nsig", b".")
        body += some(chance, b"", b"\r\n", b"\r\n", b"\r\n\r\n")
    return body


def quoted_body(chance):
    words = [b"text", b"=41", b"=3D", b"=e4", b"=E4", b"=", b"==", b"=4", b"=G1", b"=4G", b"=\r\n", b"= \r\n", b"=\t \r\n",
             b"\r\n", b" ", b"\t", b"  \r\n", b"=20\r\n", b"=0D=0A", b"_", b"~", b"a.b", b"=\r\n\r\n", b"=3d=\r\n"]
    tame = chance.random() < 0.3
    words = [b"text", b"=41", b"=3D", b"=E4", b"=\r\n", b"\r\n", b" ", b"=20\r\n"] if tame else words
    return b"".join(chance.choice(words) for _ in range(chance.randrange(0, 24)))


def uu_body(chance):
    out = io.BytesIO()
    uu.encode(io.BytesIO(chance.randbytes(chance.randrange(0, 400))), out, "a.bin", 0o644,
              backtick=chance.random() < 0.5)
    lines = out.getvalue().split(b"\n")
    if chance.random() < 0.3:
        lines = [line.rstrip(b" ") for line in lines]
    return some(chance, b"\n", b"\r\n").join(lines)


BODIES = {"b": base64_body, "q": quoted_body, "u": uu_body}


def same_text(one):
    return one.replace(b"\r\n", b"\n")


def compare(print_variants, readers, letter, body):
    """The readers whose bytes are in no variant."""
    variants = print_variants.ask(letter, body)
    if letter == "u":  # what has no file in it stays text
        variants += print_variants.ask("t", body)
    missed = []
    for reader in readers:
        if letter not in reader.letters:
            continue
        for read in reader.read(letter, body):
            if read and read not in variants:
                missed.append((reader.name, read, variants))
    return missed


def main():
    print_variants = Coprocess([sys.argv[1]])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 400
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    readers = [PythonReader(), PythonUu()] + ([PerlReader()] if shutil.which("perl") else []) + program_readers()
    chance = random.Random(seed)
    missed = {}
    for number in range(count):
        for letter, make in BODIES.items():
            body = make(chance)
            for name, read, variants in compare(print_variants, readers, letter, body):
                missed.setdefault((letter, name), []).append((body, read, variants))
    for (letter, name), cases in missed.items():
        body, read, variants = min(cases, key=lambda case: len(case[0]))
        print(f"{name} ({letter}): {len(cases)} of {count} not among the variants; the shortest:\n  {body}\n"
              f"  read as {read}\n  variants {variants}")
    print(f"{count} bodies of each encoding, read by {', '.join(reader.name for reader in readers)}")
    return 1 if missed or print_variants.close() != 0 or not readers else 0


if __name__ == "__main__":
    sys.exit(main())
