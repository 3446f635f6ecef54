"""Mails to demonstrate and to test with, made from nothing: no file of the repository holds a byte
that a scanner would stop at, because the EICAR test string is put together when it is needed.
"""

import base64
import io
import struct
import zipfile
import zlib

_EICAR_HALVES = (
    r"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + "EICAR-STANDARD-",
    "ANTIVIRUS-TEST-FILE!" + "$H+H*",
)


def eicar():
    """The 68 bytes every scanner must find (and none of them are dangerous)."""
    return "".join(_EICAR_HALVES).encode("ascii")


def eicar_signature(name):
    """A line of a ClamAV .ndb database that finds eicar() anywhere, in any kind of file."""
    return "%s:0:*:%s\n" % (name, eicar().hex())


def zip_of(name, content):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content,
                      compress_type=zipfile.ZIP_DEFLATED)
    return archive.getvalue()


def png(width=64, height=64):
    """A real PNG picture: a colour gradient."""

    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data +
                struct.pack(">I", zlib.crc32(kind + data)))

    rows = b"".join(
        b"\0" + b"".join(bytes((x * 255 // width, y * 255 // height, 128)) for x in range(width))
        for y in range(height))
    return (b"\x89PNG\r\n\x1a\n" +
            chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def pdf(text="Postern"):
    """A real PDF document of one page."""
    stream = b"BT /F1 24 Tf 72 720 Td (%s) Tj ET" % text.encode("ascii")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out = bytearray(b"%PDF-1.4\n")
    places = []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += (b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" %
            (len(objects) + 1, table))
    return bytes(out)


def crlf(content):
    """Line ends as SMTP wants them."""
    return content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def head(subject, sender="sender@example.net", recipient="alice@example.org",
         content_type="text/plain; charset=us-ascii", encoding="7bit", identity="demo"):
    return crlf((
        "From: <%s>\nTo: <%s>\nSubject: %s\nDate: Sat, 21 Nov 2026 12:00:00 +0000\n"
        "Message-ID: <%s@example.net>\nMIME-Version: 1.0\n"
        "Content-Type: %s\nContent-Transfer-Encoding: %s\n\n" %
        (sender, recipient, subject, identity, content_type, encoding)).encode("ascii"))


def plain(subject, body, encoding="7bit", charset="us-ascii", identity="demo"):
    """A whole message of one text part; body is bytes."""
    return head(subject, content_type="text/plain; charset=%s" % charset, encoding=encoding,
                identity=identity) + crlf(body)


def multipart(subject, parts, subtype="mixed", identity="demo"):
    """A whole message of several parts: (content type, encoding, file name or None, bytes)."""
    boundary = "=_postern_boundary_1"
    lines = [head(subject, content_type='multipart/%s; boundary="%s"' % (subtype, boundary),
                  encoding="8bit", identity=identity)]
    for content_type, encoding, name, content in parts:
        fields = "Content-Type: %s\r\nContent-Transfer-Encoding: %s\r\n" % (content_type, encoding)
        if name is not None:
            fields += 'Content-Disposition: attachment; filename="%s"\r\n' % name
        if encoding == "base64":
            content = base64.encodebytes(content)
        lines.append(b"--%s\r\n%s\r\n%s\r\n" %
                     (boundary.encode("ascii"), fields.encode("ascii"), crlf(content)))
    lines.append(b"--%s--\r\n" % boundary.encode("ascii"))
    return b"".join(lines)


def attachment(subject, name, content, content_type="application/octet-stream", identity="demo"):
    """A whole message with a short text and one base64 attachment."""
    return multipart(subject, [
        ("text/plain; charset=us-ascii", "7bit", None, b"See the attached file.\n"),
        (content_type, "base64", name, content),
    ], identity=identity)
