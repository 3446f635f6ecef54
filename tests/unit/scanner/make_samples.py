#!/usr/bin/python3
"""Writes the signature file and the mails of the scanner tests into a directory.

The EICAR string is put together from halves, so that no file of the tree is itself detected.
usage: make_samples.py DIRECTORY [CLAMAV_TESTFILES]
"""
import base64
import hashlib
import io
import os
import random
import struct
import sys
import zipfile
import zlib

EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}" + b"$EICAR-" + b"STANDARD-ANTIVIRUS-" + b"TEST-FILE!$H+H*"
PICTURE_HASH = "82ad3c937d6cc352"  # by sigtool --fuzzy-img
PATTERN = b"postern-scanner-" + b"test-pattern-0001"
TRACE = b"Received: from client.example ([198.18.0.9]) by mx.example with ESMTP id 1;\r\n" \
        b"\tSat, 21 Nov 2026 12:00:00 +0000\r\n"
HEAD = TRACE + b"From: a@client.example\r\nTo: b@mx.example\r\nSubject: test\r\nMIME-Version: 1.0\r\n"


def text_mail(body):
    return HEAD + b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + body + b"\r\n"


def attachment(name, data):
    return (b"Content-Type: application/octet-stream; name=\"" + name.encode() + b"\"\r\n"
            b"Content-Transfer-Encoding: base64\r\n"
            b"Content-Disposition: attachment; filename=\"" + name.encode() + b"\"\r\n\r\n" +
            base64.encodebytes(data).replace(b"\n", b"\r\n"))


def mail_with(parts):
    mail = HEAD + b"Content-Type: multipart/mixed; boundary=\"frontier\"\r\n\r\n"
    mail += b"--frontier\r\nContent-Type: text/plain\r\n\r\nSee the attachment.\r\n"
    for part in parts:
        mail += b"--frontier\r\n" + part
    return mail + b"--frontier--\r\n"


def zip_of(members, compression=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression, compresslevel=9) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, compression)
    return out.getvalue()


def encrypted(data):
    """The archive with its members marked as encrypted: without the password nobody can tell."""
    data = bytearray(data)
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(magic)
        while at >= 0:
            data[at + offset] |= 1
            at = data.find(magic, at + 4)
    return bytes(data)


def nested_zip(depth, inner):
    for level in range(depth):
        inner = zip_of([("level%d.zip" % level, inner)], zipfile.ZIP_STORED)
    return inner


def nested_multipart(depth, inner):
    """A mail whose innermost part lies under `depth` multiparts."""
    mail = HEAD + b"Content-Type: multipart/mixed; boundary=\"b0\"\r\n\r\n"
    for level in range(1, depth):
        mail += b"--b%d\r\nContent-Type: multipart/mixed; boundary=\"b%d\"\r\n\r\n" % (level - 1, level)
    mail += b"--b%d\r\n" % (depth - 1) + inner
    for level in reversed(range(depth)):
        mail += b"--b%d--\r\n" % level
    return mail


def nested_message(depth, inner):
    for _ in range(depth):
        inner = HEAD + b"Content-Type: message/rfc822\r\n\r\n" + inner
    return inner


def slow():
    """Costs far more than 30 ms: many members of noise."""
    noise = random.Random(1)
    return zip_of([("n%d" % i, noise.randbytes(65536)) for i in range(300)])


def picture():
    """A PNG of 64 by 64 grey pixels; libclamav's fuzzy hash of it is PICTURE_HASH."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + bytes((x * 4 * (y // 16 + 1)) & 0xff for x in range(64))
                    for y in range(64))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 0, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def der(tag, *inside):
    """A value of DER, of less than 64 KiB."""
    content = b"".join(inside)
    return bytes([tag, 0x82]) + struct.pack(">H", len(content)) + content


def smime(kind, content):
    """S/MIME of that kind of PKCS #7 with `content` where signed data has it, and nobody's signature."""
    def identifier(last):
        return b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07" + bytes([last])
    inner = der(0x30, identifier(1), der(0xa0, der(0x04, content)))
    return der(0x30, identifier(kind), der(0xa0, der(0x30, b"\x02\x01\x01", b"\x31\x00", inner, b"\x31\x00")))


def samples():
    eicar_zip = zip_of([("eicar.com", EICAR)])
    words = b"The quick brown fox jumps over the lazy dog, and nothing else happens here.\r\n"
    yield "clean", text_mail(b"Nothing to see.\r\n")
    yield "clean-4k", text_mail(words * 52)
    yield "clean-zip", mail_with([attachment("a.zip", zip_of([("a.txt", words * 10)]))])
    yield "clean-1m", mail_with([attachment("a.bin", random.Random(2).randbytes(1 << 20))])
    yield "picture", mail_with([attachment("a.png", picture())])
    yield "empty", b""
    yield "pattern", text_mail(b"... " + PATTERN + b" ...")
    yield "eicar-text", text_mail(EICAR)
    yield "eicar-attached", mail_with([attachment("eicar.com", EICAR)])
    yield "eicar-zip", mail_with([attachment("eicar.zip", eicar_zip)])
    yield "eicar-zip-zip", mail_with([attachment("e.zip", zip_of([("eicar.zip", eicar_zip)]))])
    yield "encrypted-zip", mail_with([attachment("secret.zip", encrypted(eicar_zip))])
    yield "encrypted-and-eicar", mail_with([attachment("secret.zip", encrypted(eicar_zip)),
                                            attachment("eicar.com", EICAR)])
    yield "bomb", mail_with([attachment("bomb.zip", zip_of([("zeros", bytes(64 << 20))]))])
    yield "bomb-of-bombs", mail_with([attachment("bomb.zip", zip_of(
        [("z%d.zip" % i, zip_of([("zeros", bytes(3 << 20))])) for i in range(8)]))])
    yield "big", mail_with([attachment("big.bin", random.Random(3).randbytes(9 << 20))])
    yield "deep-zip", mail_with([attachment("deep.zip", nested_zip(40, eicar_zip))])
    yield "deep-multipart", nested_multipart(60, attachment("eicar.com", EICAR))
    yield "deep-message", nested_message(60, mail_with([attachment("eicar.com", EICAR)]))
    yield "many-files", mail_with([attachment("many.zip", zip_of(
        [("f%d.txt" % i, b"file number %d " % i * 20) for i in range(300)] +
        [("eicar.com", EICAR)]))])
    yield "many-parts", mail_with([attachment("f%d.bin" % i, b"file number %d " % i * 20)
                                   for i in range(300)] + [attachment("eicar.com", EICAR)])
    yield "mail-attached", mail_with([attachment("a.eml", mail_with([b"Content-Type: text/plain\r\n\r\nplain\r\n"]))])
    yield "signed", mail_with([attachment("smime.p7m", smime(2, attachment("eicar.com", EICAR)))])
    yield "enveloped", mail_with([attachment("smime.p7m", smime(3, b"nobody knows"))])
    enveloped = attachment("smime.p7m", smime(3, b"nobody knows"))
    others = {"ace": attachment("a.ace", b"1234567**ACE**" + words),
              "zip": attachment("secret.zip", encrypted(eicar_zip))}
    for name, part in others.items():
        yield "enveloped-and-" + name, mail_with([enveloped, part])
        yield name + "-and-enveloped", mail_with([part, enveloped])
    yield "slow", mail_with([attachment("slow.zip", slow())])
    yield "bomb-eicar", mail_with([attachment("bomb.zip", zip_of(
        [("zeros", bytes(64 << 20) + EICAR)]))])
    yield "big-eicar", mail_with([attachment("big.bin", random.Random(3).randbytes(9 << 20)),
                                  attachment("eicar.com", EICAR)])
    yield "html-9m", (HEAD + b"Content-Type: text/html\r\n\r\n<html><body>" +
                      b"<p>" * (3 << 20) + b"</body></html>\r\n")
    yield "html-9m-pattern", (HEAD + b"Content-Type: text/html\r\n\r\n<html><body>" +
                              b"<p>" * (3 << 20) + PATTERN[:7] + b"<!-- -->" + PATTERN[7:] +
                              b"</body></html>\r\n")


def main():
    directory = sys.argv[1]
    with open(os.path.join(directory, "canary.hdb"), "w", encoding="ascii") as file:
        file.write("%s:%d:Eicar-Test-Signature\n" % (hashlib.md5(EICAR).hexdigest(), len(EICAR)))
    with open(os.path.join(directory, "test.ndb"), "w", encoding="ascii") as file:
        file.write("Test.Pattern:0:*:%s\n" % PATTERN.hex())
        file.write("Test.Eicar:0:*:%s\n" % EICAR.hex())
    with open(os.path.join(directory, "picture.ldb"), "w", encoding="ascii") as file:
        file.write("Test.Picture;Engine:150-255,Target:0;0;fuzzy_img#%s#0\n" % PICTURE_HASH)
    for name, mail in samples():
        with open(os.path.join(directory, name + ".eml"), "wb") as file:
            file.write(mail)
    if len(sys.argv) > 2 and os.path.isdir(sys.argv[2]):
        for name in sorted(os.listdir(sys.argv[2])):
            with open(os.path.join(sys.argv[2], name), "rb") as file:
                mail = mail_with([attachment(name, file.read())])
            with open(os.path.join(directory, "testfile-" + name + ".eml"), "wb") as file:
                file.write(mail)


if __name__ == "__main__":
    main()
