"""One booted guest: QEMU without KVM, in the network namespace of the caller."""

import base64
import ctypes
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

BOOT_SECONDS = 90
MEMORY_MIB = 1536
PR_SET_PDEATHSIG = 1
MANAGEMENT_SLOT = 0x0f

_libc = ctypes.CDLL(None, use_errno=True)


class GuestError(AssertionError):
    pass


def _connect(path, seconds):
    until = time.monotonic() + seconds
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(path))
            return connection
        except OSError:
            connection.close()
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


class Guest:
    """`nics` is a list of QEMU's -netdev and -device words, built by the caller."""

    def __init__(self, vmlinuz, initramfs, words, cpus=3):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="postern-qemu-"))
        self.console = self.home / "console.log"
        self.process = None
        self.shell = None
        self.monitor = None
        self.received = b""
        self.command_line = [
            "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot",
            "-display", "none", "-accel", "tcg,thread=multi", "-cpu", "Nehalem",
            "-machine", "q35,kernel-irqchip=split",
            "-device", "intel-iommu,intremap=on,caching-mode=on",
            "-smp", str(cpus), "-m", str(MEMORY_MIB),
            "-kernel", str(vmlinuz), "-initrd", str(initramfs),
            "-append", "console=ttyS0 loglevel=4 panic=-1 intel_iommu=on iommu=pt "
                       "random.trust_cpu=on tsc=reliable",
            "-serial", "file:%s" % self.console,
            "-serial", "unix:%s,server=on,wait=off" % (self.home / "shell"),
            "-monitor", "unix:%s,server=on,wait=off" % (self.home / "monitor"),
            # To the outside, through the kernel's own driver: the customer's server.
            "-netdev", "user,id=outside", "-device",
            "e1000,netdev=outside,addr=0x%02x,romfile=" % MANAGEMENT_SLOT,
        ] + words

    def boot(self):
        def end_with_us():
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

        with open(self.home / "qemu.log", "wb") as log:
            self.process = subprocess.Popen(self.command_line, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT, preexec_fn=end_with_us)
        try:
            self.shell = _connect(self.home / "shell", 10)
            self.monitor = _connect(self.home / "monitor", 10)
            self._until(b"\x01ready\n", BOOT_SECONDS)
        except (OSError, GuestError) as error:
            raise GuestError("no guest: %s\n%s%s" % (
                error, (self.home / "qemu.log").read_text(), self.console_text()[-3000:])) from None
        return self

    def console_text(self):
        return self.console.read_text(errors="replace") if self.console.exists() else ""

    def _until(self, mark, seconds):
        until = time.monotonic() + seconds
        while mark not in self.received:
            left = until - time.monotonic()
            if left <= 0:
                raise GuestError("no answer in %g s; so far: %r" % (seconds, self.received[-500:]))
            self.shell.settimeout(left)
            try:
                more = self.shell.recv(65536)
            except TimeoutError:
                continue
            if not more:
                raise GuestError("the guest has ended")
            self.received += more
        text, self.received = self.received.split(mark, 1)
        return text

    def try_run(self, command, seconds=30):
        """(exit code, output) of one line of shell in the guest."""
        self.shell.settimeout(10)
        self.shell.sendall(command.replace("\n", " ").encode() + b"\n")
        text = self._until(b"\n\x01", seconds)
        return int(self._until(b"\n", 10)), text.decode(errors="replace")

    def run(self, command, seconds=30):
        code, text = self.try_run(command, seconds)
        if code != 0:
            raise GuestError("in the guest: %s: exit code %d: %s" % (command, code, text))
        return text

    def write(self, path, content):
        """Puts `content` into a file of the guest, in lines short enough for a serial port."""
        encoded = base64.b64encode(content.encode()).decode()
        self.run("rm -f %s.b64" % path)
        for at in range(0, len(encoded), 2000):
            self.run("echo %s >>%s.b64" % (encoded[at:at + 2000], path))
        self.run("base64 -d %s.b64 >%s && rm %s.b64" % (path, path, path))

    def set_link(self, device, up):
        """Plugs the cable of device `device` in or out."""
        self.monitor.sendall(b"set_link %s %s\n" % (device.encode(), b"on" if up else b"off"))
        time.sleep(0.2)

    def stop(self):
        """Ends it by its process id and takes its files away."""
        for connection in (self.shell, self.monitor):
            if connection is not None:
                connection.close()
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        logs = os.environ.get("POSTERN_TEST_LOGS")
        if logs and self.console.exists():
            shutil.copy(self.console, pathlib.Path(logs) / "qemu-console.log")
        shutil.rmtree(self.home, ignore_errors=True)
