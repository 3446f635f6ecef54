#!/usr/bin/python3 -B
"""tests/performance/instructions --check bites."""
import importlib.machinery
import importlib.util
import pathlib
import unittest

HERE = pathlib.Path(__file__).resolve().parent
LOADER = importlib.machinery.SourceFileLoader("instructions", str(HERE / "instructions"))
instructions = importlib.util.module_from_spec(importlib.util.spec_from_loader("instructions", LOADER))
LOADER.exec_module(instructions)

DOCUMENT = """
| work | a unit | instructions | at first |
| --- | --- | --- | --- |
| `accept` | accepted connection | 8,000 | 9,000 |
| `data-verify` | DATA packet | 900 | 1,000 |
| `other` | not a work | 1 | 2 |
"""


class Check(unittest.TestCase):
    def setUp(self):
        self.record = instructions.recorded(DOCUMENT)

    def test_record(self):
        self.assertEqual(self.record, {"accept": 8000, "data-verify": 900})

    def test_document_has_every_work(self):
        document = (instructions.TOP / "docs" / "performance.md").read_text()
        self.assertEqual(instructions.recorded(document).keys(), instructions.WORKS.keys())

    def test_less_and_a_tenth_more_pass(self):
        self.assertEqual(instructions.judge({"accept": 8800.0, "data-verify": 1.0}, self.record), [])

    def test_more_fails(self):
        wrong = instructions.judge({"accept": 8801.0, "data-verify": 900.0}, self.record)
        self.assertEqual(wrong, ["accept: 8801 instructions, +10.0 % of the 8000 in the document"])

    def test_no_figure_fails(self):
        self.assertEqual(instructions.judge({"mail": 1.0}, self.record),
                         ["mail: the document has no figure"])


if __name__ == "__main__":
    unittest.main()
