"""What side_by_side sends: real mails, and made ones of some kinds and sizes."""
import io
import lzma
import os
import pathlib
import random
import re
import sys
import tarfile
import zipfile
import zlib

TOP = pathlib.Path(__file__).resolve().parents[2]
DATA = pathlib.Path(os.environ.get("POSTERN_DATA", TOP.parent / "shared" / "data"))

sys.path.insert(0, str(TOP / "platform" / "demo"))
import mails  # noqa: E402


def real_mails(count):
    """Of the SpamAssassin corpus, in an order of their own."""
    found = []
    with lzma.open(DATA / "mail" / "spamassassin-ham.tar.xz") as packed:
        with tarfile.open(fileobj=packed, mode="r|") as archive:
            for member in archive:
                if member.isfile() and "cmds" not in member.name:
                    found.append(archive.extractfile(member).read())
    random.Random(1).shuffle(found)
    return [found[number % len(found)] for number in range(count)]


def unique(content, number, text_line=True):
    """The mail with CRLF, a header (its last) and, at its end, a line of its own."""
    content = content.replace(b"\r\n", b"\n").replace(b"\r", b"").replace(b"\0", b"")
    if content.startswith(b"From "):
        content = content.split(b"\n", 1)[1]
    head, _, body = content.rstrip(b"\n").partition(b"\n\n")
    content = b"%s\nX-Test-Number: %d\n\n%s\n" % (head, number, body)
    if text_line and b"multipart/" not in content.lower():
        content += b"Test line number %d.\n" % number
    return content.replace(b"\n", b"\r\n")


WORDS = [word.encode() for word in (
    "the report for this quarter is ready and should be read before our meeting on monday please "
    "send comments to everyone who was there last week we have found that prices rose a little "
    "while orders from abroad fell again it may be too early to say why but two reasons stand out"
).split()]


def words(generator, size, width=72):
    lines, line = [], b""
    length = 0
    while length < size:
        word = generator.choice(WORDS)
        if len(line) + len(word) > width:
            lines.append(line)
            length += len(line) + 1
            line = b""
        line += (b" " if line else b"") + word
    return b"\n".join(lines) + b"\n"


def html(generator, size):
    rows = [b"<html><head><title>Report</title></head><body bgcolor=\"#ffffff\">\n<table>\n"]
    length = 0
    while length < size:
        row = (b"<tr><td class=\"a\"><b>%s</b></td><td><a href=\"http://www.example.com/%d\">"
               b"%s</a></td></tr>\n" % (generator.choice(WORDS), generator.randrange(10 ** 6),
                                        words(generator, 60).strip().replace(b"\n", b" ")))
        rows.append(row)
        length += len(row)
    return b"".join(rows) + b"</table></body></html>\n"


def png(generator, size):
    width = 640
    picture = b"".join(b"\0" + generator.randbytes(width * 3) for _ in range(size // width // 3))
    plain = mails.png(width, 8)
    ihdr = plain[:8 + 25]
    ihdr = ihdr[:20] + (size // width // 3).to_bytes(4, "big") + ihdr[24:29]
    ihdr += zlib.crc32(ihdr[12:29]).to_bytes(4, "big")

    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
    return ihdr + chunk(b"IDAT", zlib.compress(picture, 1)) + chunk(b"IEND", b"")


def pdf(generator, size):
    """Pages of compressed text, and a picture."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", None]
    pages = []
    length = 0
    while length < size:
        stream = zlib.compress(b"BT /F1 12 Tf 72 720 Td (" + words(generator, 3000) + b") Tj ET")
        picture = generator.randbytes(40000)
        objects.append(b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" %
                       (len(stream), stream))
        objects.append(b"<< /Type /XObject /Subtype /Image /Width 100 /Height 133 /ColorSpace "
                       b"/DeviceRGB /BitsPerComponent 8 /Length %d >>\nstream\n%s\nendstream" %
                       (len(picture), picture))
        objects.append(b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R "
                       b"/Resources << /XObject << /I %d 0 R >> >> >>" %
                       (len(objects) - 1, len(objects)))
        pages.append(b"%d 0 R" % len(objects))
        length += len(stream) + len(picture)
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(pages), len(pages))
    out = bytearray(b"%PDF-1.4\n")
    places = []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    return bytes(out + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" %
                 (len(objects) + 1, table))


def docx(generator, size):
    """A zip of the shape a word processor makes: much XML, a picture."""
    document = (b"<?xml version=\"1.0\"?><w:document xmlns:w=\"http://schemas.openxmlformats.org/"
                b"wordprocessingml/2006/main\"><w:body>" +
                b"".join(b"<w:p><w:r><w:t>%s</w:t></w:r></w:p>" % words(generator, 400)
                         for _ in range(size // 1000)) + b"</w:body></w:document>")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("[Content_Types].xml", b"<?xml version=\"1.0\"?><Types xmlns=\"http://schemas."
                      b"openxmlformats.org/package/2006/content-types\"/>")
        file.writestr("_rels/.rels", b"<?xml version=\"1.0\"?><Relationships/>")
        file.writestr("word/document.xml", document)
        file.writestr("word/media/image1.png", png(generator, size * 3 // 4))
    return archive.getvalue()


def generated(kind, count, first):
    """`count` mails of that kind, other ones for each `first`."""
    megabyte = 1000000
    same = kind.endswith("-same")
    made = None
    for number in range(count):
        generator = random.Random("%s %d" % (kind, first if same else first + number))
        if kind == "text":
            yield mails.plain("Report", words(generator, 4096))
        elif kind == "html":
            yield mails.multipart("Report", [
                ("text/plain; charset=us-ascii", "7bit", None, words(generator, 2000)),
                ("text/html; charset=us-ascii", "7bit", None, html(generator, 65536)),
            ], subtype="alternative")
        else:
            if made is None or not same:
                name = kind.split("-")[0]
                made = {"png": png, "pdf": pdf, "docx": docx}[name](generator, megabyte)
            content_type = {"png": "image/png", "pdf": "application/pdf", "docx":
                            "application/vnd.openxmlformats-officedocument.wordprocessingml.document"}
            yield mails.multipart("Report", [
                ("text/plain; charset=us-ascii", "7bit", None,
                 b"See the attached file, number %d.\n" % number),
                (content_type[name], "base64", "report." + name, made)])


# Of the number of real mails: how many of each kind.
KINDS = {"real": 1.0, "text": 1.0, "html": 0.2, "png": 0.04, "pdf": 0.02, "docx": 0.01,
         "pdf-same": 0.02}


def infected_mails():
    """Which nobody may let pass."""
    test = mails.eicar()
    yield mails.plain("Test", b"Look at this:\n" + test + b"\n")
    yield mails.attachment("Test", "test.bin", test)
    yield mails.attachment("Test", "test.zip", mails.zip_of("test.com", test),
                           content_type="application/zip")


def write_mails(kind, count, path, first=0):
    """For performance_mails; returns how many and their mean size."""
    source = (real_mails(count) if kind == "real" else
              infected_mails() if kind == "infected" else generated(kind, count, first))
    total = 0
    with open(path, "wb") as file:
        for number, content in enumerate(source):
            content = unique(content, first + number)
            total += len(content)
            content = re.sub(rb"(?m)^\.", b"..", content)
            file.write(len(content).to_bytes(8, sys.byteorder) + content)
    return count, total / count
