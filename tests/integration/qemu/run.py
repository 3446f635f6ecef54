"""Runs the tests on emulated PCI cards: run.py [--build DIR] [--results FILE] [--logs DIR] [PATTERN].

As tests/integration/run.py, but everything happens in a network namespace that nobody else sees,
and that is gone with this process.
"""

import argparse
import os
import pathlib
import signal
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]


def main():
    # By its path: this file has the same name.
    import importlib.util
    place = importlib.util.spec_from_file_location("integration_run", HERE.parent / "run.py")
    common = importlib.util.module_from_spec(place)
    place.loader.exec_module(common)

    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=str(HERE.parents[2] / "build"))
    parser.add_argument("--results")
    parser.add_argument("--logs", default="/tmp")
    parser.add_argument("pattern", nargs="?", default="")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        print("qemu: needs root (a network namespace, TAP devices)", file=sys.stderr)
        return 2
    os.environ["POSTERN_BUILD"] = str(pathlib.Path(arguments.build).resolve())
    os.environ["POSTERN_TEST_LOGS"] = str(pathlib.Path(arguments.logs).resolve())
    import nics
    nics.own_network()
    signal.signal(signal.SIGALRM, common.overdue)

    tests = list(common.flatten(unittest.defaultTestLoader.discover(str(HERE), "test_*.py",
                                                                    str(HERE))))
    chosen = [test for test in tests if arguments.pattern in test.id()]
    if not chosen:
        print("qemu: no test matches '%s'" % arguments.pattern, file=sys.stderr)
        return 1
    with open(arguments.results or os.devnull, "w", encoding="utf-8") as file:
        results = common.Results(file)
        started = time.monotonic()
        unittest.TestSuite([unittest.TestSuite(chosen)]).run(results)
    counts = results.counts
    print("   qemu: %d passed, %d failed, %d skipped in %.0f s" %
          (counts["ok"], counts["fail"], counts["skip"], time.monotonic() - started))
    return 0 if results.wasSuccessful() and counts["fail"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
