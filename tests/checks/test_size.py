#!/usr/bin/python3 -B
"""tests/checks/size bites."""
import os
import unittest

from planted import Planted

HEAD = ("static int planted(int a,\n                   int b)\n", 2)


def c_function(lines):
    """A C function of so many lines, the head's two among them."""
    return HEAD[0] + "{\n" + "    a++;\n" * (lines - HEAD[1] - 2) + "}\n"


class Size(Planted):
    check = "size"

    def setUp(self):
        super().setUp()
        self.write("platform/some.c", "int some;\n\n" + c_function(70))

    def test_longest_passes(self):
        self.write("platform/full.c", "int x;\n" * 600)
        self.passes()

    def test_long_function(self):
        self.write("dataplane/tcp/input.c", "#include <stdio.h>\n" + c_function(71))
        self.bites("dataplane/tcp/input.c:2: a function of 71 lines")

    def test_long_function_behind_another(self):
        self.append("platform/some.c", "\n/* A comment\n * of two lines. */\n" + c_function(71))
        self.bites("platform/some.c:76: a function of 71 lines")

    def test_long_function_of_a_test(self):
        self.write("tests/unit/tcp/test_input.c", c_function(71))
        self.bites("tests/unit/tcp/test_input.c:1: a function of 71 lines")

    def test_long_file(self):
        self.write("signatures/read/regex.c", "int x;\n" * 601)
        self.bites("signatures/read/regex.c: 601 lines")

    def test_long_table_is_no_function(self):
        self.write("platform/table.c", "static const int table[] = {\n" + "    1,\n" * 100 + "};\n")
        self.passes()

    def test_python(self):
        self.write("tests/integration/test_some.py",
                   "class Some:\n    def method(self):\n" + "        self.x = 1\n" * 70)
        self.bites("tests/integration/test_some.py:2: a function of 71 lines")

    def test_python_without_an_ending(self):
        self.write("tests/checks/some", "#!/usr/bin/python3\ndef some():\n" + "    pass\n" * 70)
        self.bites("tests/checks/some:2: a function of 71 lines")

    def test_shell(self):
        self.write("tests/some", "#!/usr/bin/env bash\nsome()\n{\n" + "    true\n" * 68 + "}\n")
        self.bites("tests/some:2: a function of 71 lines")

    def test_data_is_nothing(self):
        self.write("tests/fuzz/corpus/html/page", "<p>\n" * 601)
        self.write("tests/oracle/malformed/long.eml", "x\n" * 601)
        self.passes()

    def test_no_input(self):
        os.remove(os.path.join(self.root, "platform", "some.c"))
        self.bites("nothing to look at")


if __name__ == "__main__":
    unittest.main()
