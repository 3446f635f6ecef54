#!/usr/bin/python3 -B
"""tests/checks/hot bites: over the objects of a real build, one of them made again with something in it.

    tests/checks/test_hot.py BUILD
"""
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import unittest

CHECK = os.path.join(os.path.dirname(os.path.realpath(__file__)), "hot")
BUILD = os.path.realpath(sys.argv.pop() if len(sys.argv) > 1 else "build")


class Hot(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(os.path.join(BUILD, "compile_commands.json"), encoding="utf-8") as file:
            cls.entries = json.load(file)

    def setUp(self):
        """A tree beside the real one: its folders, and a build whose objects are the real ones."""
        folder = tempfile.TemporaryDirectory(prefix="planted-")
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        self.build = os.path.join(self.root, "build")
        for name in ("dataplane", "platform", "signatures"):
            os.symlink(os.path.join(BUILD, "..", name), os.path.join(self.root, name))
        for entry in self.entries:
            path = os.path.join(self.build, entry["output"])
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.symlink(os.path.join(BUILD, entry["output"]), path)
        with open(os.path.join(BUILD, "build.ninja"), encoding="utf-8") as file:
            self.ninja = file.read()
        self.save(self.ninja, [dict(entry, directory=self.build) for entry in self.entries])

    def save(self, ninja, entries):
        with open(os.path.join(self.build, "build.ninja"), "w", encoding="utf-8") as file:
            file.write(ninja)
        with open(os.path.join(self.build, "compile_commands.json"), "w", encoding="utf-8") as file:
            json.dump(entries, file)

    def entry(self, source):
        return next(entry for entry in self.entries if entry["file"] == "../" + source and
                    not entry["output"].startswith("tests/"))

    def compile(self, like, text, output):
        """`text` with the flags of the source `like`, as the object `output`."""
        command = shlex.split(self.entry(like)["command"])
        flags = command[:next(at for at, word in enumerate(command) if word in ("-MD", "-o"))]
        planted = os.path.join(self.root, "planted.c")
        with open(planted, "w", encoding="utf-8") as file:
            file.write(text)
        path = os.path.join(self.build, output)
        if os.path.islink(path):
            os.remove(path)
        subprocess.run(flags + ["-w", "-o", path, "-c", planted], cwd=BUILD, check=True)

    def plant(self, source, text):
        real = os.path.join(BUILD, "..", source)
        self.compile(source, f'#include "{real}"\n{text}\n', self.entry(source)["output"])

    def run_check(self):
        return subprocess.run([CHECK, self.build], capture_output=True, text=True, check=False)

    def bites(self, *words):
        result = self.run_check()
        said = result.stdout + result.stderr
        self.assertEqual(result.returncode, 1, said)
        for word in words:
            self.assertIn(word, said)

    def test_as_it_is(self):
        result = self.run_check()
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_allowance_is_for_one_path(self):
        # content/inspect/inspect.c may: this is the other file of that name.
        self.plant("dataplane/handover/inspect.c",
                   "#include <hs/hs.h>\nint planted(const hs_database_t *database)\n"
                   "{ return hs_scan(database, 0, 0, 0, 0, 0, 0); }")
        self.bites("dataplane/handover/inspect.c: planted() uses hs_scan", " 1 wrong")

    def test_heap(self):
        self.plant("dataplane/tcp/input.c",
                   "#include <stdlib.h>\nvoid *planted(void) { return malloc(20); }")
        self.bites("dataplane/tcp/input.c: planted() uses malloc", " 1 wrong")

    def test_heap_by_a_pointer(self):
        self.plant("dataplane/tcp/input.c", "#include <stdlib.h>\nvoid *(*planted)(size_t) = malloc;")
        self.bites("dataplane/tcp/input.c: data refers to malloc", " 1 wrong")

    def test_system_call(self):
        self.plant("signatures/content/decode/base64.c",
                   "#include <unistd.h>\nlong planted(void) { return syscall(39); }")
        self.bites("signatures/content/decode/base64.c: planted() uses syscall", " 1 wrong")

    @unittest.skipUnless(os.uname().machine == "x86_64", "the instruction of another machine")
    def test_system_call_without_a_library(self):
        self.plant("dataplane/worker/loop.c",
                   'long planted(void) { long r = 39; __asm__ volatile("syscall" : "+a"(r)); return r; }')
        self.bites("dataplane/worker/loop.c: planted() uses the instruction syscall", " 1 wrong")

    def test_setup_on_the_packet_path(self):
        self.plant("dataplane/message/message.c",
                   "#include \"dataplane/message/store.h\"\n"
                   "void planted(struct store *store) { store_fini(store); }")
        self.bites("dataplane/message/message.c: planted() uses store_fini", " 1 wrong")

    def test_cold_file_on_the_packet_path(self):
        self.plant("dataplane/handover/scan.c",
                   "#include \"platform/link/region.h\"\nvoid *planted(void) { return region_create; }")
        self.bites("dataplane/handover/scan.c: planted() uses region_create", " 1 wrong")

    def test_new_file_is_hot(self):
        """Nobody named it to the check: it is hot because the program links it."""
        self.plant("dataplane/handover/scan.c", "int planted(void);\nint use(void) { return planted(); }")
        old = self.entry("dataplane/handover/scan.c")["output"]
        new = os.path.join(os.path.dirname(old), "new.c.o")
        self.compile("dataplane/handover/scan.c", "#include <stdio.h>\n"
                     "int planted(void) { return puts(\"planted\"); }", new)
        self.assertIn(f" {old} ", self.ninja)
        self.save(self.ninja.replace(f" {old} ", f" {old} {new} "),
                  [dict(entry, directory=self.build) for entry in self.entries] +
                  [{"directory": self.build, "file": "../dataplane/new/new.c", "output": new}])
        self.bites("dataplane/new/new.c: planted() uses puts", " 1 wrong")

    def test_stale_allowance(self):
        source = "signatures/content/inspect/subject.c"
        with open(os.path.join(BUILD, "..", source), encoding="utf-8") as file:
            text = file.read()
        call = re.search(r"SHA256_Final\([^)]*\)", text)
        text = text.replace(call[0], "0")
        self.compile(source, text, self.entry(source)["output"])
        self.bites(f"MORE: {source} no longer uses SHA256_Final", " 1 wrong")

    def test_object_missing(self):
        os.remove(os.path.join(self.build, self.entry("dataplane/tcp/timer.c")["output"]))
        self.bites("timer.c.o is missing")

    def test_no_input(self):
        self.save("", [])
        self.bites("names no source")
        self.save("", self.entries)
        self.bites("does not make postern-dataplane")
        os.remove(os.path.join(self.build, "build.ninja"))
        self.bites("build.ninja is missing")


if __name__ == "__main__":
    unittest.main()
