"""A small tree of its own for the tests of the checks: a right one, into which each test plants one wrong
thing.
"""
import json
import os
import subprocess
import tempfile
import unittest

CHECKS = os.path.dirname(os.path.realpath(__file__))

DOCUMENT = """# Two rooms above one

```rooms
upper: lower
    upper/first  upper/second  # words
    upper/third
lower:
    lower/pair.*
    lower
```

```libraries
strange/  upper/third
```

```exceptions
lower/base.c -> upper/third/third.h   because
```

```cycles
upper/first  egg hen
```
"""

SOURCES = {
    "upper/first/egg.c": '#include "lower/base.h"\nint hen(void);\nint egg(void);\n'
                         "int egg(void)\n{\n    return hen() + base();\n}\n",
    "upper/first/hen.c": "int egg(void);\nint hen(void);\nint hen(void)\n{\n    return egg();\n}\n",
    "upper/second/second.c": '#include "upper/third/third.h"\nint second(void);\n'
                             "int second(void)\n{\n    return third();\n}\n",
    "upper/second/internal.h": "",
    "upper/third/third.h": "int third(void);\n",
    "upper/third/third.c": '#include "upper/third/third.h"\n#include <strange/library.h>\n'
                           "int third(void)\n{\n    return 3;\n}\n",
    "lower/pair.c": "int pair;\n",
    "lower/base.h": "int base(void);\n",
    "lower/base.c": '#include "lower/base.h"\n#include "upper/third/third.h"\n#include <stdio.h>\n'
                    "int base(void)\n{\n    return third();\n}\n",
    "include/strange/library.h": "",
}


class Planted(unittest.TestCase):
    check = None  # the program's name

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="planted-")
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        self.write("docs/architecture.md", DOCUMENT)
        for path, text in SOURCES.items():
            self.write(path, text)

    def write(self, path, text):
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def append(self, path, text):
        with open(os.path.join(self.root, path), "a", encoding="utf-8") as file:
            file.write(text)

    def change(self, path, old, new):
        with open(os.path.join(self.root, path), encoding="utf-8") as file:
            text = file.read()
        self.assertIn(old, text)
        self.write(path, text.replace(old, new))

    def compile(self):
        """Every source into build/, as meson would say it."""
        entries = []
        for directory, _, names in os.walk(self.root):
            for name in sorted(names):
                if name.endswith(".c"):
                    path = os.path.relpath(os.path.join(directory, name), self.root)
                    entries.append({"directory": os.path.join(self.root, "build"), "file": f"../{path}",
                                    "output": path.replace("/", "_") + ".o"})
        self.write("build/compile_commands.json", json.dumps(entries))
        for entry in entries:
            subprocess.run(["gcc", "-O0", "-I..", "-I../include", "-c", entry["file"], "-o", entry["output"]],
                           cwd=entry["directory"], check=True)

    def run_check(self, argument):
        return subprocess.run([os.path.join(CHECKS, self.check), os.path.join(self.root, argument)],
                              capture_output=True, text=True, check=False)

    def passes(self, argument=""):
        result = self.run_check(argument)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def bites(self, *words, argument="", others=0):
        """It fails, and says just one thing (or so many others), with these words."""
        result = self.run_check(argument)
        said = result.stdout + result.stderr
        self.assertEqual(result.returncode, 1, said)
        for word in words:
            self.assertIn(word, said)
        self.assertEqual(len(said.splitlines()) - 1, 1 + others, said)
