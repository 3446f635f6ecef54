#!/usr/bin/python3 -B
"""tests/checks/includes bites."""
import os
import unittest

from planted import Planted


class Includes(Planted):
    check = "includes"

    def test_right_tree_passes(self):
        self.passes()

    def test_upward_between_rooms(self):
        self.append("upper/third/third.c", '#include "upper/second/second.h"\n')
        self.bites("upper/third/third.c:7: upper/second/second.h points the wrong way")

    def test_sideways_on_one_line(self):
        self.append("upper/first/egg.c", '#include "upper/second/second.h"\n')
        self.bites("upper/first is not above upper/second")

    def test_upward_between_folders(self):
        self.append("lower/pair.c", '#include "upper/third/third.h"\n')
        self.bites("lower/pair.c:2:", "lower/ is not above upper/")

    def test_pair_is_a_room(self):
        self.append("lower/base.c", '#include "lower/pair.h"\n')
        self.bites("lower is not above lower/pair.*")

    def test_in_angle_brackets(self):
        self.append("lower/pair.c", "#  include <upper/third/third.h>\n")
        self.bites("lower/ is not above upper/")

    def test_internal_header_of_another_room(self):
        self.change("docs/architecture.md", "    upper/first  upper/second", "    upper/first\n    upper/second")
        self.append("upper/first/hen.c", '#include "upper/second/internal.h"\n')
        self.bites("is for upper/second alone")

    def test_path_not_from_the_root(self):
        self.append("upper/third/third.c", '#include "third.h"\n')
        self.bites("third.h is not a path from the root")

    def test_path_that_climbs(self):
        self.append("upper/third/third.c", '#include "lower/../upper/second/second.h"\n')
        self.bites("is not a header's path")

    def test_test_included(self):
        self.append("upper/third/third.c", '#include "tests/unit/bed.h"\n')
        self.bites("tests/unit/bed.h is not a path from the root")

    def test_source_included(self):
        self.append("upper/second/second.c", '#include "upper/third/third.c"\n')
        self.bites("is not a header's path")

    def test_name_in_a_macro(self):
        self.append("upper/second/second.c", "#include HEADER\n")
        self.bites("not written out")

    def test_foreign_library(self):
        self.append("upper/second/second.c", "#include <strange/other.h>\n")
        self.bites("upper/second/second.c", "is for upper/third only")

    def test_library_that_nobody_needs(self):
        self.change("upper/third/third.c", "#include <strange/library.h>\n", "")
        self.bites("upper/third does not include strange/")

    def test_stale_exception(self):
        self.change("lower/base.c", '#include "upper/third/third.h"\n', "")
        self.bites("lower/base.c needs no exception")

    def test_exception_without_a_reason(self):
        self.change("docs/architecture.md", "   because", "")
        self.bites("an exception is FILE -> HEADER REASON", others=1)

    def test_unknown_room(self):
        self.write("upper/fourth/fourth.c", "int fourth;\n")
        self.bites("upper/fourth/: a folder that is not in the list")

    def test_include_of_unknown_room(self):
        self.append("upper/second/second.c", '#include "upper/fourth/fourth.h"\n')
        self.bites("upper/fourth/fourth.h is in no room")

    def test_room_without_files(self):
        self.change("docs/architecture.md", "    upper/third\n", "    upper/third\n    upper/fourth\n")
        self.bites("no file is in upper/fourth")

    def test_cycle_of_rooms_needs_an_exception(self):
        self.append("upper/third/third.c", '#include "upper/second/second.h"\n')
        self.change("docs/architecture.md", "    upper/first  upper/second  # words\n    upper/third\n",
                    "    upper/first  upper/third\n    upper/second\n")
        self.bites("upper/second/second.c:1:", "upper/second is not above upper/third")

    def test_no_list(self):
        self.change("docs/architecture.md", "```rooms", "```words")
        self.bites("0 blocks `rooms`", others=4)

    def test_no_input(self):
        for folder in ("upper", "lower"):
            os.rename(os.path.join(self.root, folder), os.path.join(self.root, "gone-" + folder))
        self.bites("nothing to look at", others=7)


if __name__ == "__main__":
    unittest.main()
