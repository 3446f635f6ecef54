#!/usr/bin/python3 -B
"""Archives by the tools that people make them with: what libclamav does not unpack comes out or has
a name; what it does unpack is left to it.

    test_archives.py PROBE

No tool of Debian makes RAR archives, documents of Office or OpenDocument with a password: these are
written here, as far as they matter.
"""
import io
import os
import struct
import unittest
import zipfile
import zlib

from tools import PLANTED, Case

ARCHIVE = ("encrypted", "archive")
DOCUMENT = ("encrypted", "document")
PASSWORD = "-psecret"


def crc32(content):
    return zlib.crc32(content) & 0xFFFFFFFF


def rar4_block(kind, flags, fields=b"", data=b""):
    head = struct.pack("<BHH", kind, flags, 7 + len(fields)) + fields
    return struct.pack("<H", crc32(head) & 0xFFFF) + head + data


def rar4(content, flags=0, archive_flags=0, method=0x30):
    """Stored, or said to be packed by some other method."""
    name = b"planted.txt"
    fields = struct.pack("<IIBIIBBHI", len(content), len(content), 3, crc32(content), 0, 20, method,
                         len(name), 0o100644) + name
    return (b"Rar!\x1a\x07\x00" + rar4_block(0x73, archive_flags, bytes(6)) +
            rar4_block(0x74, 0x8000 | flags, fields, content) + rar4_block(0x7B, 0x4000))


def number(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def rar5_block(kind, body, extra=b"", data=None):
    flags = (1 if extra else 0) | (2 if data is not None else 0)
    head = number(kind) + number(flags)
    if extra:
        head += number(len(extra))
    if data is not None:
        head += number(len(data))
    head += body + extra
    sized = number(len(head)) + head
    return struct.pack("<I", crc32(sized)) + sized + (data or b"")


def rar5(content, encrypted=False, header_encrypted=False, volume=False):
    name = b"planted.txt"
    body = (number(4) + number(len(content)) + number(0o644) + struct.pack("<I", crc32(content)) +
            number(0) + number(1) + number(len(name)) + name)
    record = number(1) + number(0) + number(0) + b"\x0f" + bytes(16) + bytes(16)
    extra = number(len(record)) + record if encrypted else b""
    front = b"Rar!\x1a\x07\x01\x00"
    if header_encrypted:
        return front + rar5_block(4, number(0) + number(0) + b"\x0f" + bytes(16)) + os.urandom(200)
    return front + rar5_block(1, number(1 if volume else 0)) + rar5_block(2, body, extra, content) + rar5_block(5, number(0))


def entry(name, size=4096, kind=2):
    """Of the directory of a compound file."""
    wide = (name + "\0").encode("utf-16-le")
    return (wide.ljust(64, b"\0") + struct.pack("<HBB", len(wide), kind, 1) + bytes(52) +
            struct.pack("<II", size, 0))


def compound(entries, *sectors):
    """A compound file, as far as streams are looked for: header, directory, sectors."""
    directory = b"".join(map(entry, entries)).ljust(512, b"\0")
    return (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".ljust(512, b"\0") + directory +
            b"".join(sector.ljust(512, b"\0") for sector in sectors))


class Compressed(Case):
    """A file, and a tar archive, of which the engine gets the tar."""

    TOOLS = {"zst": ("zstd", "-q", "-c"), "lz": ("lzip", "-c"), "lz4": ("lz4", "-q", "-c"),
             "lzma": ("xz", "--format=lzma", "-c"), "Z": ("compress", "-c"), "br": ("brotli", "-c")}

    def test_opened(self):
        tar = self.run_tool("tar", "c", "planted.txt")
        for suffix, tool in self.TOOLS.items():
            for content in (PLANTED, tar):
                packed = self.run_tool(*tool, given=content)
                self.assert_found(packed, content, "planted." + suffix, "file")
                if suffix != "br":
                    self.assert_found(packed, content)

    def test_levels_and_frames(self):
        for level in ("-1", "-19", "--ultra -22 --long=27", "--no-check"):
            packed = self.run_tool("zstd", "-q", "-c", *level.split(), given=PLANTED)
            self.assert_found(packed, PLANTED)
        skipped = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"
        self.assert_found(skipped + self.run_tool("zstd", "-q", "-c", given=PLANTED), PLANTED)
        halves = [self.run_tool("lzip", "-c", given=part) for part in (PLANTED[:5000], PLANTED[5000:])]
        self.assert_found(b"".join(halves), PLANTED)

    def test_brotli_needs_its_name(self):
        packed = self.run_tool("brotli", "-c", given=PLANTED)
        self.assert_nothing(packed, "planted.txt")
        self.assert_nothing(packed[:-10], "planted.br")
        self.assert_nothing(PLANTED, "planted.br")

    def test_broken(self):
        packed = self.run_tool("zstd", "-q", "-c", given=PLANTED)
        self.assert_finding(packed[:-10], "unsupported", "zstd")

    def test_bounds(self):
        bomb = self.run_tool("zstd", "-q", "-c", given=bytes(1 << 20))
        self.assert_found(bomb, bytes(1 << 20))
        seen = self.open(bomb, limits=(16, 10, 1 << 19))
        self.assertEqual(seen.verdict(), ("over", "limit exceeded", ""))

    def test_depth(self):
        packed = PLANTED
        for _ in range(4):
            packed = self.run_tool("brotli", "-c", given=packed)
        seen = self.open(packed, "a.br", (2, 10, 1 << 20))
        self.assertIn((3, "over", "limit exceeded", ""), seen.verdicts)
        self.assertTrue(self.open(packed, "a.br").has(PLANTED))

    def test_by_name(self):
        for kind, tool in (("lzop", ("lzop", "-c")), ):
            self.assert_finding(self.run_tool(*tool, given=PLANTED), "unsupported", kind)

    def test_what_the_engine_opens(self):
        for tool in (("gzip", "-c"), ("bzip2", "-c"), ("xz", "-c"), ("cat",)):
            self.assert_nothing(self.run_tool(*tool, given=PLANTED))


class Archives(Case):
    def make(self, name, *arguments):
        self.run_tool(*arguments, name, "planted.txt")
        return self.get(name)

    def seven(self, name, *arguments):
        return self.make(name, "7z", "a", *arguments)

    def test_7z(self):
        for number_, method in enumerate(("LZMA", "LZMA2", "PPMd", "BZip2", "Deflate", "Copy", "Delta")):
            extra = ("-m1=LZMA",) if method == "Delta" else ()
            seen = self.assert_found(self.seven("%u.7z" % number_, "-m0=" + method, *extra), PLANTED)
            self.assertEqual(seen.names(), ["planted.txt"])

    def test_7z_not_to_be_read(self):
        self.assert_finding(self.seven("a.7z", "-m0=Deflate64"), "unsupported", "7z")
        self.assert_finding(self.seven("b.7z", PASSWORD), *ARCHIVE)
        self.assert_finding(self.seven("c.7z", PASSWORD, "-mhe=on"), *ARCHIVE)

    def test_zip_methods(self):
        for method in ("LZMA", "PPMd", "XZ"):
            content = self.seven(method + ".zip", "-tzip", "-mm=" + method)
            self.assert_found(content, PLANTED)
        for method in ("Deflate", "Deflate64", "BZip2", "Copy"):
            self.assert_nothing(self.seven(method + ".zip", "-tzip", "-mm=" + method))
        unknown = bytearray(self.get("LZMA.zip"))
        for signature, offset in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
            at = unknown.index(signature) + offset
            unknown[at:at + 2] = struct.pack("<H", 97)
        self.assert_finding(bytes(unknown), "unsupported", "zip")

    def test_zip_with_password(self):
        """The engine says so itself."""
        self.assert_nothing(self.seven("a.zip", "-tzip", PASSWORD))
        self.assert_nothing(self.seven("b.zip", "-tzip", PASSWORD, "-mem=AES256"))

    def test_zip_with_encrypted_directory(self):
        local = b"PK\3\4" + struct.pack("<HHHHHIIIHH", 62, 0x2041, 8, 0, 0, 0, 99, 99, 1, 0) + b"1"
        self.assert_finding(local + os.urandom(200), *ARCHIVE)

    def test_rar(self):
        for content in (rar4(PLANTED), rar5(PLANTED), b"MZ" + bytes(600) + rar4(PLANTED)):
            seen = self.assert_found(content, PLANTED)
            self.assertEqual(seen.names(), ["planted.txt"])

    def test_rar_not_to_be_read(self):
        for content in (rar4(PLANTED, flags=4), rar4(os.urandom(99), archive_flags=0x80),
                        rar5(PLANTED, encrypted=True), rar5(PLANTED, header_encrypted=True)):
            self.assert_finding(content, *ARCHIVE)
        for content in (rar4(PLANTED, method=0x37), rar4(PLANTED)[:200], rar5(PLANTED)[:200],
                        rar4(PLANTED, archive_flags=1), rar5(PLANTED, volume=True)):
            self.assert_finding(content, "unsupported", "rar")
        self.assert_nothing(b"MZ" + bytes(600) + b"Rar!\x1a\x07\0 is what it looks for")

    def test_arj(self):
        self.assert_nothing(self.make("a.arj", "arj", "a"))
        self.assert_finding(self.make("b.arj", "arj", "a", "-gsecret"), *ARCHIVE)

    def test_ar(self):
        self.run_tool("ar", "qc", "a.a", "planted.txt")
        self.assert_found(self.get("a.a"), PLANTED)

    def test_by_name(self):
        self.assert_finding(self.make("a.arc", "arc", "a"), "unsupported", "arc")
        self.assert_finding(self.make("a.zpaq", "zpaq", "a"), "unsupported", "zpaq")
        self.run_tool("mksquashfs", "planted.txt", "a.squashfs", "-quiet")
        self.assert_finding(self.get("a.squashfs"), "unsupported", "squashfs")
        os.mkdir(self.path("folder"))
        self.run_tool("wimcapture", "folder", "a.wim")
        self.assert_finding(self.get("a.wim"), "unsupported", "wim")
        for kind, content in (("ace", bytes(7) + b"**ACE**" + bytes(40)),
                              ("zoo", b"ZOO 2.10 Archive.\x1a\0\0\xdc\xa7\xc4\xfd" + bytes(40)),
                              ("vhd", b"conectix" + bytes(504)), ("vhdx", b"vhdxfile" + bytes(504))):
            self.assert_finding(content, "unsupported", kind)

    def test_what_the_engine_opens(self):
        for arguments in (("tar", "cf"), ("zip", "-q"), ("gcab", "-c")):
            self.assert_nothing(self.make("a." + arguments[0], *arguments))

    def test_entries(self):
        for i in range(20):
            self.put("%02u" % i, b"%u" % i)
        self.run_tool("ar", "qc", "a.a", *("%02u" % i for i in range(20)))
        self.assertEqual(self.open(self.get("a.a"), limits=(16, 20, 1 << 20)).verdict()[0], "found")
        self.assertEqual(self.open(self.get("a.a"), limits=(16, 19, 1 << 20)).verdict()[0], "over")


class Documents(Case):
    def zipped(self, **members):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name.replace("__", "/").replace("_xml", ".xml"), content)
        return buffer.getvalue()

    def test_open_document(self):
        entry_ = '<manifest:file-entry manifest:full-path="content.xml">%s</manifest:file-entry>'
        plain = self.zipped(mimetype="application/vnd.oasis.opendocument.text",
                            **{"META-INF__manifest_xml": entry_ % ""})
        secret = self.zipped(mimetype="application/vnd.oasis.opendocument.text", **{
            "META-INF__manifest_xml": entry_ % '<manifest:encryption-data manifest:checksum="x"/>'})
        self.assert_nothing(plain)
        self.assert_finding(secret, *DOCUMENT)

    def test_office(self):
        word = b"\xec\xa5\xc1\0" + bytes(6)
        book = struct.pack("<HH", 0x809, 16) + b"\0\6\5\0" + bytes(12)
        user = b"\0\0\xf6\x0f" + struct.pack("<I", 28) + struct.pack("<I", 20)
        for entries, plain, secret in (
                (("Root Entry", "WordDocument"), word + b"\0\2", word + b"\0\3"),
                (("Root Entry", "Workbook"), book + struct.pack("<HH", 0xE1, 2) + bytes(2),
                 book + struct.pack("<HHHH", 0xE1, 2, 0, 0x2F) + b"\x36\0"),
                (("Root Entry", "PowerPoint Document", "Current User"), user + b"\x5f\xc0\x91\xe3",
                 user + b"\xdf\xc4\xd1\xf3")):
            self.assert_nothing(compound(entries, plain))
            self.assert_finding(compound(entries, bytes(512), secret), *DOCUMENT)
            self.assert_nothing(compound(("Root Entry",), secret))
        self.assert_finding(compound(("Root Entry", "EncryptionInfo", "EncryptedPackage"), b""), *DOCUMENT)
        self.assert_nothing(compound(("Root Entry",), "EncryptedPackage".encode("utf-16-le")))


if __name__ == "__main__":
    unittest.main()
