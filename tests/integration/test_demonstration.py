"""The quickstart's demonstration, with the build under test: its result, and that a killed one is
no hindrance to the next.
"""

import os
import pathlib
import signal
import subprocess
import unittest

import appliance

DEMONSTRATION = appliance.TOP / "platform" / "demo" / "demonstration.py"
HOME = pathlib.Path("/run/postern-quickstart")
NAMESPACE = pathlib.Path("/run/netns/postern-quickstart")


class Demonstration(unittest.TestCase):
    def setUp(self):
        if HOME.exists():
            self.skipTest("a quickstart is running on this machine: %s exists" % HOME)

    def once(self):
        result = appliance.command("/usr/bin/python3", DEMONSTRATION, "--build", appliance.BUILD,
                                   "--once", timeout=100)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        lines = [line for line in result.stdout.splitlines() if line.endswith("  ok")]
        self.assertEqual(len(lines), 6, result.stdout)
        self.assertEqual(sum(" yes" in line for line in lines), 3, result.stdout)
        self.assertFalse(HOME.exists())
        self.assertFalse(NAMESPACE.exists())

    def test_once(self):
        self.once()

    def test_after_a_crash(self):
        crashed = subprocess.Popen(
            ["/usr/bin/python3", DEMONSTRATION, "--build", appliance.BUILD],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=dict(os.environ, PYTHONUNBUFFERED="1"))
        output = ""
        try:
            for line in crashed.stdout:
                output += line
                if "swaks" in line:
                    break
            self.assertIn("ip netns exec postern-quickstart swaks", output)
            second = appliance.command("/usr/bin/python3", DEMONSTRATION, "--build",
                                       appliance.BUILD, "--once")
            self.assertEqual(second.returncode, 1)
            self.assertIn("already running", second.stderr)
        finally:
            crashed.send_signal(signal.SIGKILL)
            crashed.wait()
            crashed.stdout.close()
        self.assertTrue(NAMESPACE.exists(), "a crash that left nothing behind proves nothing")
        self.once()

    def test_interrupted(self):
        demonstration = subprocess.Popen(
            ["/usr/bin/python3", DEMONSTRATION, "--build", appliance.BUILD],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            for line in demonstration.stdout:
                if "swaks" in line:
                    break
            demonstration.send_signal(signal.SIGINT)
            self.assertEqual(demonstration.wait(40), 0)
        finally:
            demonstration.kill()
            demonstration.stdout.close()
            demonstration.wait()
        self.assertFalse(HOME.exists())
        self.assertFalse(NAMESPACE.exists())
