#!/usr/bin/python3 -B
"""The whole way in `postern scan`: what the engine does not open, attached to a mail or inside of what
the engine does open, is scanned in the scanner's jail, or the mail is unscannable.

    test_scan.py BUILD_DIRECTORY
"""
import base64
import hashlib
import json
import os
import unittest

import tools
from tools import PLANTED, Case

POSTERN = os.path.join(tools.PROBE, "postern")  # the argument is the build's folder here


def mail(name, content):
    return (b"From: a@example.org\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream; name=" +
            name.encode() + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
            base64.encodebytes(content).replace(b"\n", b"\r\n"))


class Scan(Case):
    def setUp(self):
        super().setUp()
        os.mkdir(self.path("mails"))
        os.mkdir(self.path("database"))
        self.put("database/t.hsb", b"%s:%d:Planted.File:73\n" % (
            hashlib.sha256(PLANTED).hexdigest().encode(), len(PLANTED)))

    def scan(self):
        """{file: verdict}"""
        out = self.run_tool("sh", "-c", '"$@" || [ $? -lt 3 ]', "sh", POSTERN, "scan", "--json",
                            "--no-prefilter", "--database", self.path("database"), self.path("mails"))
        lines = [json.loads(line) for line in out.splitlines() if line.startswith(b"{")]
        return {os.path.basename(line["path"]): line["verdict"] for line in lines if "path" in line}

    def test_scan(self):
        zstd = self.run_tool("zstd", "-q", "-c", given=PLANTED)
        self.put("in.zst", zstd)
        self.run_tool("zip", "-q", "z.zip", "in.zst")
        self.run_tool("7z", "a", "-m0=BZip2", "b.7z", "planted.txt")
        self.run_tool("arj", "a", "-gsecret", "s.arj", "planted.txt")
        self.run_tool("zip", "-q", "s.zip", "s.arj")
        harmless = self.run_tool("zstd", "-q", "-c", given=b"harmless")
        self.run_tool("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem",
                      "-out", "cert.pem", "-days", "2", "-subj", "/CN=someone")
        self.put("inner.eml", mail("planted.txt", PLANTED))
        signed = self.run_tool("openssl", "cms", "-sign", "-binary", "-nodetach", "-outform", "DER", "-signer",
                               "cert.pem", "-inkey", "key.pem", "-in", "inner.eml")
        secret = self.run_tool("openssl", "cms", "-encrypt", "-binary", "-outform", "DER", "-in", "inner.eml",
                               "cert.pem")
        expected = {"zstd": "infected", "zipped": "infected", "7z": "infected", "signed": "infected",
                    "secret": "unscannable", "zipped-secret": "unscannable", "harmless": "clean"}
        for name, content in (("zstd", zstd), ("zipped", self.get("z.zip")), ("7z", self.get("b.7z")),
                              ("signed", signed), ("secret", secret), ("zipped-secret", self.get("s.zip")),
                              ("harmless", harmless)):
            self.put("mails/" + name, mail(name, content))
        self.assertEqual(self.scan(), expected)


if __name__ == "__main__":
    unittest.main()
