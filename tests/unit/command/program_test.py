#!/usr/bin/python3
"""The program `postern` from outside: arguments, exit codes, and a whole `run`.

The three programs are shell scripts beside a copy of `postern`: what is tested is the supervisor's
program, not the appliance. Usage: program_test.py BUILD_DIRECTORY
"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

BUILD = sys.argv.pop() if len(sys.argv) > 1 else "."

CONFIG = """hostname: mx1.example.net
runtime_directory: {0}/run
state_directory: {0}/state
ports:
  - kind: tap
    interface: pt0
    address: 198.18.0.2/24
customers:
  - name: example
    domains: [example.org]
    route:
      host: 127.0.0.1
      port: 2525
"""

SCRIPT = """#!/bin/sh
echo "$0 starts $*"
trap 'echo "$0 ends"; exit 0' TERM
trap 'echo "$0 reloads"' HUP
while :; do sleep 0.05; done
"""

READY = {"version": "0.1.0", "uptime": 3.5, "dataplane": {"linked": True},
         "counters": {"scanners_ready": 1, "control_ready": 1, "rx_packets": 0},
         "workers": [{"worker": 0}], "routes": []}


class Status(threading.Thread):
    """Answers on a status socket until closed."""

    def __init__(self, path, answer):
        super().__init__(daemon=True)
        self.answer = answer
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        self.socket.listen()
        self.start()

    def run(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            client.sendall(json.dumps(self.answer).encode() + b"\n")
            client.close()


class Program(unittest.TestCase):
    def setUp(self):
        self.base = tempfile.mkdtemp(prefix="postern-test-")
        self.config = os.path.join(self.base, "postern.yaml")
        self.program = os.path.join(self.base, "postern")
        shutil.copy(os.path.join(BUILD, "postern"), self.program)
        self.write_config()
        for name in "dataplane", "scanner", "control":
            self.write_script(name, SCRIPT)
        self.running = []

    def tearDown(self):
        for process in self.running:
            process.kill()
            process.communicate()
        shutil.rmtree(self.base)

    def write_config(self, more=""):
        with open(self.config, "w") as file:
            file.write(CONFIG.format(self.base) + more)

    def write_script(self, name, text):
        path = os.path.join(self.base, "postern-" + name)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, 0o755)

    def call(self, *arguments):
        done = subprocess.run([self.program, *arguments], capture_output=True, text=True,
                              timeout=60)
        return done.returncode, done.stdout, done.stderr

    def start(self):
        process = subprocess.Popen([self.program, "run", "-c", self.config],
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.running.append(process)
        return process

    def read_until(self, process, text, times=1):
        lines = []
        while times > 0:
            line = process.stdout.readline()
            self.assertNotEqual(line, "", "ended before %r: %s" % (text, lines))
            lines.append(line)
            times -= text in line
        return lines

    def test_usage(self):
        for arguments in [], ["nonsense"], ["run", "more"], ["run", "--what"], ["run", "-c"], \
                ["check-config", "a", "b"], ["check-config", "-x"], ["status", "more"], \
                ["show-config", "a", "b"], ["show-config", "--defaults", "a"], ["show-config", "-x"], \
                ["status", "-c", "x", "--socket", "y"], ["scan"], ["scan", "--what", "x"]:
            with self.subTest(arguments):
                code, out, err = self.call(*arguments)
                self.assertEqual((code, out), (2, ""))
                self.assertIn("usage: postern", err)
        for arguments in ["help"], ["--help"], ["-h"]:
            code, out, err = self.call(*arguments)
            self.assertEqual((code, err), (0, ""))
            for command in "run", "check-config", "show-config", "status", "scan", "signatures":
                self.assertIn("\n  %s " % command, out)
        for command in "run", "check-config", "show-config", "status", "scan", "signatures":
            code, out, err = self.call(command, "--help")
            self.assertEqual((code, err), (0, ""))
            self.assertTrue(out.startswith("usage: postern %s " % command), out)
        code, out, err = self.call("--version")
        self.assertEqual((code, err), (0, ""))
        self.assertRegex(out, r"^postern \d+\.\d+\.\d+\n$")

    def test_check_config(self):
        self.write_config("scanner:\n  database: /nonexistent/database\n  user: nosuchuser\n"
                          "cores:\n  workers: 63\n")
        code, out, err = self.call("check-config", self.config)
        self.assertEqual((code, out), (0, self.config + ": ok\n"))
        for key in "scanner.database: /nonexistent", "scanner.user: there is no user 'nosuchuser'", \
                "cores: ":
            self.assertIn("%s: warning: %s" % (self.config, key), err)
        self.write_config("scanner:\n  processes: 3\n  memory: 1G\nmemory: {messages: 256M, packets: 128M}\n"
                          "prefilter: {cache_size: 64M}\n")
        code, out, err = self.call("check-config", self.config)
        self.assertEqual(code, 0)
        self.assertRegex(out, r"memory: messages 256 \+ packets 128 .*\+ verdict cache 64 = \d+ MiB for certain; "
                              r"3 scanners of 1024 \+ a message of 50 \+ temporary files of 800 = 5622 MiB more at most")
        self.write_config("scanner: {processes: 1, memory: 1G}\n"
                          "memory: {messages: 64G, packets: 64G, hugepages: off}\n")
        code, out, err = self.call("check-config", self.config)
        self.assertEqual(code, 0)
        with open("/proc/meminfo", encoding="ascii") as file:
            total = int(re.search(r"^MemTotal:\s*(\d+) kB$", file.read(), re.M).group(1))
        if total < 128 << 20:
            self.assertIn("%s: warning: memory: more is certain than there is: messages 65536 + packets 65536 + "
                          % self.config, err)
        self.write_config("nonsense: 1\n")
        for arguments in ["check-config", self.config], ["run", "-c", self.config], \
                ["scan", "-c", self.config, self.config]:
            code, out, err = self.call(*arguments)
            self.assertEqual((code, out), (78, ""))
            self.assertRegex(err, r"^%s:14:1: [^\n]*nonsense[^\n]*\n$" % self.config)
        # Status says so, too, and asks all the same: here nobody is there to answer.
        code, out, err = self.call("status", "-c", self.config)
        self.assertEqual((code, out), (1, ""))
        self.assertRegex(err, r"^%s:14:1: [^\n]*nonsense[^\n]*\n" % self.config)

    def test_all_errors_at_once(self):
        self.write_config("nonsense: 1\nmemory: {massages: 1G, packets: none}\n")
        for arguments in ["check-config", self.config], ["show-config", self.config], \
                ["run", "-c", self.config]:
            code, out, err = self.call(*arguments)
            self.assertEqual((code, out), (78, ""))
            lines = err.splitlines()
            self.assertEqual(len(lines), 3, err)
            self.assertTrue(lines[0].startswith(self.config + ":14:1: "), err)
            self.assertIn(":15:10: unknown key \"massages\" (memory.massages); did you mean messages?", lines[1])
            self.assertIn(":15:33: \"none\" is not valid (memory.packets)", lines[2])

    def test_the_example(self):
        """platform/postern.yaml is one, and the unit file starts what there is."""
        platform = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../platform")
        code, out, err = self.call("check-config", os.path.join(platform, "postern.yaml"))
        self.assertEqual(code, 0, err)
        with open(os.path.join(platform, "postern.service"), encoding="ascii") as file:
            commands = re.findall(r"^ExecStart(?:Pre)?=/usr/bin/postern (\S+) (.*)$", file.read(),
                                  re.M)
        self.assertEqual(commands, [("check-config", "/etc/postern/postern.yaml"),
                                    ("run", "-c /etc/postern/postern.yaml")])

    def test_show_config(self):
        code, shown, err = self.call("show-config", self.config)
        self.assertEqual((code, err), (0, ""))
        self.assertIn("\nlimits:\n  message_size: 50M\n", shown)
        with open(self.config, "w") as file:
            file.write(shown)
        self.assertEqual(self.call("show-config", self.config), (0, shown, ""))
        code, out, err = self.call("show-config", "--defaults")
        self.assertEqual((code, err), (0, ""))
        self.assertIn("\nhostname: # mandatory; ", out)

    def test_status(self):
        run = os.path.join(self.base, "run")
        path = os.path.join(run, "control.sock")
        code, out, err = self.call("status", "-c", self.config)
        self.assertEqual((code, out), (1, ""))
        self.assertEqual(err, "postern status: %s: no such socket: is the appliance running?\n"
                         % path)
        os.mkdir(run)
        Status(path, READY)
        code, out, err = self.call("status", "-c", self.config, "--json")
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(json.loads(out), READY)
        code, out, err = self.call("status", "--socket", path)
        self.assertEqual((code, err), (0, ""))
        self.assertIn("postern 0.1.0, up 00:00:03, ready\n", out)

    def test_run(self):
        process = self.start()
        self.read_until(process, "starts --config-fd ", 3)
        run = os.path.join(self.base, "run")
        self.assertEqual(os.stat(run).st_mode & 0o777, 0o755)
        self.assertTrue(os.path.isdir(os.path.join(self.base, "state")))

        code, _, err = self.call("run", "-c", self.config)
        self.assertEqual(code, 1)
        self.assertEqual(err, "postern: already running in %s (process %d)\n" % (run, process.pid))

        Status(os.path.join(run, "control.sock"), READY)
        self.read_until(process, "postern: ready\n")

        process.send_signal(signal.SIGHUP)
        self.read_until(process, "postern: reloading the configuration: number 2, digest ")
        self.write_config("memory: {messages: 300M}\nscanner: {files: 7}\n")
        process.send_signal(signal.SIGHUP)
        self.read_until(process, "postern: reloading the configuration: number 3, digest ")
        self.read_until(process, "these have changed and take effect with a restart: "
                                 "memory.messages, scanner.files\n")
        self.write_config("nonsense: 1\n")
        process.send_signal(signal.SIGHUP)
        lines = self.read_until(process, "postern: the configuration was not reloaded")
        self.assertIn(self.config + ":14:1: ", lines[0])
        self.assertFalse([line for line in lines if "reloads" in line], "no HUP of their own")

        process.send_signal(signal.SIGTERM)
        lines = process.communicate(timeout=30)[0].splitlines()
        self.assertEqual(process.returncode, 0)
        self.assertEqual(len(lines), 3, lines)
        self.assertIn("postern-dataplane ends", lines[0])

    def test_run_ends_on_bad_configuration(self):
        self.write_script("scanner", "#!/bin/sh\necho last words >&2\nexit 78\n")
        process = self.start()
        out = process.communicate(timeout=30)[0]
        self.assertEqual(process.returncode, 78)
        self.assertIn("last words\n", out)
        self.assertIn("postern: postern-scanner ended with exit code 78 (bad configuration)", out)

    def test_run_ends_on_early_failures(self):
        self.write_script("control", "#!/bin/sh\necho last words >&2\nexit 1\n")
        process = self.start()
        out = process.communicate(timeout=30)[0]
        self.assertEqual(process.returncode, 1)
        self.assertEqual(out.count("last words\n"), 3)

    def test_run_needs_its_programs(self):
        os.unlink(os.path.join(self.base, "postern-control"))
        code, _, err = self.call("run", "-c", self.config)
        self.assertEqual(code, 1)
        self.assertIn("no program postern-control", err)

    def test_dead_program_comes_back(self):
        process = self.start()
        self.read_until(process, "starts", 3)
        children = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(process.pid)],
                                  capture_output=True, text=True).stdout.splitlines()
        scanner = [int(c.split()[0]) for c in children if "postern-scanner" in c]
        self.assertEqual(len(scanner), 1)
        began = time.monotonic()
        os.kill(scanner[0], signal.SIGKILL)
        self.read_until(process, "postern: postern-scanner was killed by signal 9 (Killed)")
        self.read_until(process, "postern-scanner starts")
        self.assertGreater(time.monotonic() - began, 0.09)


if __name__ == "__main__":
    unittest.main(verbosity=2)
