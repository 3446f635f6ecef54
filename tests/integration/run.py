"""Runs the integration tests: run.py [--build DIR] [--results FILE] [--logs DIR] [PATTERN].

Prints a line as each test ends, with its time. PATTERN picks the tests whose name contains it. The
results file gets one line a test: "ok NAME", "skip NAME" or "fail NAME". A test that takes longer
than TEST_SECONDS is broken off with the stacks of all threads, and counts as failed.
"""

import argparse
import faulthandler
import os
import pathlib
import signal
import sys
import time
import unittest

TEST_SECONDS = 120


class Overdue(BaseException):
    pass


def overdue(*_):
    faulthandler.dump_traceback(file=sys.__stdout__)
    raise Overdue("took longer than %d s" % TEST_SECONDS)


class Results(unittest.TestResult):
    def __init__(self, file):
        super().__init__()
        self.file = file
        self.counts = {"ok": 0, "fail": 0, "skip": 0}
        self.started = time.monotonic()
        self.sub_failed = False

    def startTest(self, test):
        super().startTest(test)
        self.started = time.monotonic()
        self.sub_failed = False
        signal.alarm(TEST_SECONDS)

    def stopTest(self, test):
        signal.alarm(0)
        super().stopTest(test)

    def _note(self, result, test, text=""):
        name = test.id() if hasattr(test, "id") else str(test)
        self.counts[result] += 1
        if self.file is not None:
            self.file.write("%s %s\n" % (result, name.replace(" ", "_")))
            self.file.flush()
        print("   %-5s %s (%.1f s)%s" % ({"fail": "FAIL", "skip": "SKIP"}.get(result, result), name,
                                         time.monotonic() - self.started,
                                         ": " + text if text else ""), flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        if not self.sub_failed:
            self._note("ok", test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._note("skip", test, reason)

    def _failed(self, test, error):
        self._note("fail", test)
        for line in self._exc_info_to_string(error, test).splitlines():
            print("         " + line, flush=True)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._failed(test, err)

    def addError(self, test, err):
        super().addError(test, err)
        self._failed(test, err)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            if not self.sub_failed:
                self._note("fail", test)
            self.sub_failed = True
            print("         in %s:" % subtest._subDescription(), flush=True)
            for line in self._exc_info_to_string(err, test).splitlines():
                print("         " + line, flush=True)


def flatten(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flatten(test)
        else:
            yield test


def main():
    here = pathlib.Path(__file__).resolve().parent
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=str(here.parents[1] / "build"))
    parser.add_argument("--results")
    parser.add_argument("--logs", default="/tmp")
    parser.add_argument("pattern", nargs="?", default="")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        print("integration: needs root (TAP devices, network namespaces)", file=sys.stderr)
        return 2
    os.environ["POSTERN_BUILD"] = str(pathlib.Path(arguments.build).resolve())
    os.environ["POSTERN_TEST_LOGS"] = str(pathlib.Path(arguments.logs).resolve())
    sys.path.insert(0, str(here))
    signal.signal(signal.SIGALRM, overdue)

    tests = list(flatten(unittest.defaultTestLoader.discover(str(here), "test_*.py", str(here))))
    chosen = [test for test in tests if arguments.pattern in test.id()]
    if not chosen:
        print("integration: no test matches '%s'" % arguments.pattern, file=sys.stderr)
        return 1
    with open(arguments.results or os.devnull, "w", encoding="utf-8") as file:
        results = Results(file)
        started = time.monotonic()
        unittest.TestSuite([unittest.TestSuite(chosen)]).run(results)
    counts = results.counts
    print("   integration: %d passed, %d failed, %d skipped in %.0f s" %
          (counts["ok"], counts["fail"], counts["skip"], time.monotonic() - started))
    return 0 if results.wasSuccessful() and counts["fail"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
