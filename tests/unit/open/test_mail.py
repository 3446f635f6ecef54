#!/usr/bin/python3 -B
"""S/MIME by OpenSSL, OpenPGP by GnuPG: what can be taken out comes out, the rest has a name.

    test_mail.py PROBE
"""
import base64
import bz2
import os
import random
import struct
import unittest
import zlib

from tools import MAIL, PLANTED, Case

ENCRYPTED = ("encrypted", "mail")


def der(tag, *contents):
    content = b"".join(contents)
    if len(content) < 128:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def ber(tag, *contents):
    """Of indefinite length."""
    return bytes([tag, 0x80]) + b"".join(contents) + b"\0\0"


def oid(*arcs):
    out = bytes([arcs[0] * 40 + arcs[1]])
    for arc in arcs[2:]:
        groups = [arc & 127]
        while arc > 127:
            arc >>= 7
            groups.insert(0, arc & 127 | 128)
        out += bytes(groups)
    return der(6, out)


PKCS7 = (1, 2, 840, 113549, 1, 7)
SMIME = (1, 2, 840, 113549, 1, 9, 16, 1)
ZLIB = (1, 2, 840, 113549, 1, 9, 16, 3, 8)
ONE = der(2, b"\1")


def signed(content, inner=PKCS7 + (1,), form=der):
    """Signed by nobody."""
    return form(0x30, oid(*PKCS7, 2), form(0xA0, form(0x30, ONE, form(0x31), form(
        0x30, oid(*inner), form(0xA0, content)))))


def compressed(content, algorithm=ZLIB):
    return der(0x30, oid(*SMIME, 9), der(0xA0, der(0x30, der(2, b"\0"), der(
        0x30, oid(*algorithm)), der(0x30, oid(*PKCS7, 1), der(0xA0, der(4, zlib.compress(content)))))))


class Cms(Case):
    KEYS = {}

    def setUp(self):
        super().setUp()
        if not self.KEYS:  # once for all tests
            self.run_tool("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem",
                          "-out", "cert.pem", "-days", "2", "-subj", "/CN=someone")
            self.KEYS.update((name, self.get(name)) for name in ("key.pem", "cert.pem"))
        for name, content in self.KEYS.items():
            self.put(name, content)

    def cms(self, *arguments):
        return self.run_tool("openssl", "cms", *arguments)

    def sign(self, name, *arguments):
        return self.cms("-sign", "-binary", "-signer", "cert.pem", "-inkey", "key.pem", "-in", name,
                        *arguments)

    def encrypt(self, *arguments):
        return self.cms("-encrypt", "-binary", "-in", "mail.eml", *arguments)

    def test_signed_opaque(self):
        for extra in ((), ("-stream",), ("-noattr",), ("-nocerts",), ("-keyid",)):
            self.assert_found(self.sign("mail.eml", "-nodetach", "-outform", "DER", *extra), MAIL,
                              kind="mail")

    def test_signed_in_text(self):
        pem = self.sign("mail.eml", "-nodetach", "-outform", "PEM")
        self.assert_found(pem, MAIL)
        self.assert_found(pem.replace(b"CMS", b"PKCS7"), MAIL)
        self.assert_found(b"look here:\r\n\r\n> " + pem.replace(b"\n", b"\r\n> "), MAIL)
        bare = base64.encodebytes(self.sign("mail.eml", "-nodetach", "-outform", "DER"))
        self.assert_found(b"\r\n" + bare, MAIL)

    def test_signed_detached(self):
        self.assert_nothing(self.sign("mail.eml", "-outform", "DER"))
        self.assert_nothing(self.sign("mail.eml", "-outform", "PEM"))

    def test_signature_is_not_needed(self):
        whole = self.sign("mail.eml", "-nodetach", "-outform", "DER")
        end = whole.index(MAIL) + len(MAIL)
        self.assert_found(whole[:end], MAIL)
        self.assert_found(whole[:end] + os.urandom(64), MAIL)

    def test_indefinite_and_in_pieces(self):
        pieces = [der(4, MAIL[i:i + 100]) for i in range(0, len(MAIL), 100)]
        for form in (der, ber):
            self.assert_found(signed(der(4, MAIL), form=form), MAIL)
            self.assert_found(signed(form(0x24, *pieces), form=form), MAIL)
            self.assert_found(signed(form(0x24, form(0x24, *pieces[:9]), form(0x24, *pieces[9:]))), MAIL)

    def test_nested(self):
        once = self.sign("mail.eml", "-nodetach", "-outform", "DER")
        self.put("once.der", once)
        twice = self.sign("once.der", "-nodetach", "-outform", "DER")
        self.assert_found(twice, MAIL)
        inner = ONE + der(0x31) + der(0x30, oid(*PKCS7, 1), der(0xA0, der(4, MAIL)))
        self.assert_found(signed(der(4, der(0x30, inner)), PKCS7 + (2,)), MAIL)
        self.assert_found(signed(der(0x30, inner), PKCS7 + (2,)), MAIL)  # PKCS #7: no string

    def test_compressed(self):
        self.assert_found(compressed(MAIL), MAIL, kind="mail")
        self.assert_found(compressed(signed(der(4, MAIL))), MAIL)
        self.assert_found(signed(der(4, compressed(MAIL))), MAIL)

    def test_digested_and_plain(self):
        self.assert_found(self.cms("-digest_create", "-binary", "-nodetach", "-in", "mail.eml", "-outform",
                                   "DER"), MAIL)
        self.assert_found(self.cms("-data_create", "-binary", "-in", "mail.eml", "-outform", "DER"), MAIL)

    def test_encrypted(self):
        for extra in (("-aes-256-cbc",), ("-aes-128-gcm",), ("-stream",), ("-des3",)):
            for form in ("DER", "PEM"):
                content = self.encrypt("-outform", form, *extra, "cert.pem")
                self.assert_finding(content, *ENCRYPTED)
        content = self.cms("-EncryptedData_encrypt", "-binary", "-in", "mail.eml", "-outform", "DER",
                           "-secretkey", "00" * 16, "-aes-128-cbc")
        self.assert_finding(content, *ENCRYPTED)
        self.assert_finding(self.encrypt("-pwri_password", "x", "-outform", "DER"), *ENCRYPTED)

    def test_encrypted_in_signed(self):
        self.put("inner.der", self.encrypt("-outform", "DER", "cert.pem"))
        seen = self.open(self.sign("inner.der", "-nodetach", "-outform", "DER"))
        self.assertIn((1, "finding", "encrypted", "mail"), seen.verdicts)

    def test_depth(self):
        content = MAIL
        for _ in range(8):
            content = signed(der(4, content))
        self.assert_found(content, MAIL)
        for _ in range(16):
            content = signed(der(4, content))
        self.assertIn((17, "over", "limit exceeded", ""), self.open(content).verdicts)

    def test_harmless(self):
        self.run_tool("openssl", "pkcs12", "-export", "-in", "cert.pem", "-inkey", "key.pem", "-out",
                      "key.p12", "-passout", "pass:x")
        self.run_tool("openssl", "crl2pkcs7", "-nocrl", "-certfile", "cert.pem", "-out", "certs.p7b")
        for name in ("key.pem", "cert.pem", "key.p12", "certs.p7b", "mail.eml"):
            self.assert_nothing(self.get(name))
        self.assert_nothing(b"")
        self.assert_nothing(b"0")
        self.assert_nothing(b"MIME is what this text is about, and MIIA")


class Pgp(Case):
    def setUp(self):
        super().setUp()
        os.mkdir(self.path("home"), 0o700)
        self.addCleanup(self.gpgconf)
        self.gpg("--passphrase", "", "--quick-generate-key", "someone@example.org", "future-default",
                 "default", "0")

    def gpgconf(self):
        self.run_tool("gpgconf", "--kill", "all", env={"GNUPGHOME": self.path("home")})

    def gpg(self, *arguments):
        return self.run_tool("gpg", "--batch", "--quiet", "--yes", "--no-tty", "--trust-model", "always",
                             "--pinentry-mode", "loopback", *arguments,
                             env={"GNUPGHOME": self.path("home")})

    def both(self, *arguments):
        return (self.gpg(*arguments, "-o", "-", "planted.txt"),
                self.gpg("--armor", *arguments, "-o", "-", "planted.txt"))

    def encrypted(self):
        to = ("-r", "someone@example.org", "--encrypt")
        secret = ("--passphrase", "x", "--symmetric")
        for arguments in (to, to + ("--sign",), to + ("--throw-keyids",), secret,
                          secret + ("--s2k-mode", "0"), secret + ("--cipher-algo", "3DES"),
                          to + ("--rfc4880",), secret + ("--rfc4880",)):
            yield from self.both(*arguments)

    def test_encrypted(self):
        for content in self.encrypted():
            self.assert_finding(content, *ENCRYPTED, name="planted.txt.gpg")

    def test_encrypted_forms(self):
        data = struct.pack(">BBBBI", 1, 9, 1, 16, 0) * 8
        key = b"\x84\x0c\3" + b"12345678" + b"\1" + b"\0\1"
        for tag in (0xC9, 0xD2, 0xD4):  # packets of encrypted data alone
            self.assert_finding(bytes([tag, len(data)]) + data, *ENCRYPTED)
            self.assert_nothing(bytes([tag, len(data) - 1]) + data)
        self.assert_finding(key + b"\xd2\xff\0\0\1\0" + data, *ENCRYPTED)  # cut short
        self.assert_nothing(key + b"and text")
        self.assert_finding(b"\xca\3PGP" + key + bytes([0xD2, len(data)]) + data, *ENCRYPTED)
        self.assert_finding(b"\xc1\x0c" + key[2:] + bytes([0xA4, len(data)]) + data, *ENCRYPTED)

    def test_inline(self):
        armored = self.both("-r", "someone@example.org", "--encrypt")[1]
        for text in (b"Dear all,\n\n" + armored + b"\nregards\n",
                     b"> " + armored.replace(b"\n", b"\r\n> "),
                     armored.replace(b"-----\n\n", b"-----\nVersion: 1\nComment: a: b\n\n"),
                     b"<html><body><pre>" + armored.replace(b"\n", b"<br>\n") + b"</pre>",
                     armored[:len(armored) // 2]):
            self.assert_finding(text, *ENCRYPTED)

    def test_signed(self):
        for method in ("zip", "zlib", "bzip2", "none"):
            for content in self.both("--sign", "--compress-algo", method):
                seen = self.assert_found(content, PLANTED)
                self.assertIn("planted.txt", seen.names())

    def test_stored(self):
        for content in self.both("--store"):
            self.assert_found(content, PLANTED)

    def test_mail_without_a_secret(self):
        """What is labelled encrypted and is not, some readers take for a mail."""
        self.put("planted.txt", MAIL)
        self.assert_found(self.gpg("--armor", "--store", "-o", "-", "planted.txt"), MAIL, kind="mail")

    def test_forms_of_compressed(self):
        literal = b"\xcb\xff" + struct.pack(">I", len(PLANTED) + 6) + b"b\0\0\0\0\0" + PLANTED
        raw = zlib.compressobj(wbits=-15)
        for number, data in ((0, literal), (1, raw.compress(literal) + raw.flush()),
                             (2, zlib.compress(literal)), (3, bz2.compress(literal))):
            self.assert_found(b"\xa3" + bytes([number]) + data, PLANTED)
        pieces = b"".join(b"\xe9" + PLANTED[i:i + 512] for i in range(506, 4602, 512))
        self.assert_found(b"\xcb\xe9b\0\0\0\0\0" + PLANTED[:506] + pieces +
                          b"\xff" + struct.pack(">I", len(PLANTED) - 4602) + PLANTED[4602:], PLANTED)

    def test_depth(self):
        content = b"\xcb\7b\0\0\0\0\0x"
        for _ in range(8):
            content = b"\xa3\0" + content
        self.assert_found(content, b"x")
        for _ in range(16):
            content = b"\xa3\0" + content
        self.assertEqual(self.open(content).verdict(), ("over", "limit exceeded", ""))

    def test_bounds(self):
        bomb = b"\xa3\2" + zlib.compress(b"\xcb\xff\0\x10\0\6b\0\0\0\0\0" + bytes(1 << 20))
        self.assertEqual(self.open(bomb).verdict(), ("found", "none", ""))
        self.assertEqual(self.open(bomb, limits=(16, 10, 100000)).verdict(),
                         ("over", "limit exceeded", ""))

    def test_harmless(self):
        for content in (*self.both("--detach-sign"), self.gpg("--export"), self.gpg("--armor", "--export"),
                        self.gpg("--clearsign", "-o", "-", "planted.txt"),
                        self.gpg("--passphrase", "", "--armor", "--export-secret-keys")):
            self.assert_nothing(content)
        self.assert_nothing(b"-----BEGIN PGP MESSAGE-----\n\n...\n-----END PGP MESSAGE-----\n")
        self.assert_nothing(b"it begins with -----BEGIN PGP MESSAGE-----")

    def test_chance(self):
        """Whatever else starts with a byte of OpenPGP."""
        chance = random.Random(4880)
        for first in range(128, 256):
            content = bytes([first]) + chance.randbytes(150 + first)
            self.assertNotEqual(self.open(content).verdict()[0], "finding", content)


if __name__ == "__main__":
    unittest.main()
