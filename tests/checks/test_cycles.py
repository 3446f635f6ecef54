#!/usr/bin/python3 -B
"""tests/checks/cycles bites."""
import os
import unittest

from planted import Planted


class Cycles(Planted):
    check = "cycles"

    def bites(self, *words, argument="build", others=0):
        super().bites(*words, argument=argument, others=others)

    def test_right_tree_passes(self):
        self.compile()
        self.passes("build")

    def test_new_cycle(self):
        self.change("upper/third/third.c", "return 3;", "int more(void); return more();")
        self.write("upper/third/more.c", "int third(void);\nint more(void)\n{\n    return third();\n}\n")
        self.compile()
        self.bites("a new cycle: upper/third/more.c upper/third/third.c")

    def test_cycle_grown(self):
        self.change("upper/first/hen.c", "return egg();", "int chick(void); return egg() + chick();")
        self.write("upper/first/chick.c", "int hen(void);\nint chick(void)\n{\n    return hen();\n}\n")
        self.compile()
        self.bites("a cycle has grown by upper/first/chick.c")

    def test_cycle_shrunk(self):
        self.change("docs/architecture.md", "upper/first  egg hen", "upper/first  chick egg hen")
        self.compile()
        self.bites("has shrunk; take out of the list: upper/first/chick.c")

    def test_cycle_gone(self):
        self.change("upper/first/hen.c", "return egg();", "return 1;")
        self.compile()
        self.bites("is no cycle any more", "egg.c")

    def test_prototype_past_a_wall(self):
        self.append("lower/pair.c", "int second(void);\nint use(void)\n{\n    return second();\n}\n")
        self.compile()
        self.bites("lower/pair.c: second of upper/second/second.c points the wrong way")

    def test_object_missing(self):
        self.compile()
        os.remove(os.path.join(self.root, "build", "lower_pair.c.o"))
        self.bites("is missing", others=-1)

    def test_no_input(self):
        os.mkdir(os.path.join(self.root, "build"))
        self.bites("compile_commands.json is missing", others=-1)
        self.write("build/compile_commands.json", "[]")
        self.bites("names no source", others=-1)


if __name__ == "__main__":
    unittest.main()
