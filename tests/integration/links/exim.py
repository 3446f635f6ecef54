"""Exim as a customer's server, like links/postfix.py. Debian does not install it beside Postfix: it
is used where `exim4` is found, which may be an unpacked package.
"""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

SETTINGS = """\
exim_user = nobody
exim_group = nogroup
never_users =
spool_directory = {home}/spool
log_file_path = {home}/log/%slog
pid_file_path = {home}/pid
primary_hostname = customer.example
local_interfaces = 127.0.0.1.{port}
tls_advertise_hosts =
host_lookup =
smtp_accept_max = 100
acl_smtp_rcpt = take
acl_smtp_data = take
begin acl
take:
  accept
begin routers
all:
  driver = accept
  transport = inbox
begin transports
inbox:
  driver = appendfile
  directory = {home}/mail
  maildir_format
  user = nobody
  group = nogroup
begin retry
* * F,1h,1s
"""


def available():
    return shutil.which("exim4") is not None


class Exim:
    FRONT = "exim4"  # what talks to us; what takes the end of data is no other program
    BACK = "exim4"

    def __init__(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="postern-test-exim-"))
        self.home.chmod(0o755)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
        for name in ("spool", "log", "mail"):
            (self.home / name).mkdir()
            shutil.chown(self.home / name, "nobody", "nogroup")
        (self.home / "exim.conf").write_text(SETTINGS.format(home=self.home, port=self.port))
        self.process = None

    def start(self):
        with open(self.home / "output", "wb") as output:
            self.process = subprocess.Popen(
                [shutil.which("exim4"), "-C", self.home / "exim.conf", "-bdf", "-q2s"],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
                    if connection.recv(3) == b"220":
                        return self
            except OSError:
                time.sleep(0.05)
        said = (self.home / "output").read_text()
        self.stop()
        raise AssertionError("exim does not start:\n" + said)

    def processes(self, _):
        """Process ids of those that have a connection, or deliver: the daemon's children."""
        found = []
        for entry in os.listdir("/proc"):
            try:
                if entry.isdigit():
                    with open("/proc/%s/stat" % entry, "rb") as file:
                        if int(file.read().rsplit(b")", 1)[1].split()[1]) == self.process.pid:
                            found.append(int(entry))
            except OSError:
                pass
        return found

    def signal(self, program, number):
        for pid in self.processes(program):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def kill_oldest(self, program):
        pids = self.processes(program)
        if pids:
            try:
                os.kill(min(pids), signal.SIGKILL)
            except ProcessLookupError:
                pass  # it ended by itself

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.signal("", signal.SIGCONT)
            self.signal("", signal.SIGTERM)
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    def queued(self):
        """Headers are written last, so a message without them was never taken."""
        return list((self.home / "spool" / "input").rglob("*-H"))

    def delivered(self, seconds=60):
        """The messages in the Maildir, once nothing is queued any more."""
        until = time.monotonic() + seconds
        while self.queued():
            if time.monotonic() > until:
                raise AssertionError("exim has not delivered: %s" % self.queued())
            time.sleep(0.1)
        return [path.read_bytes() for path in (self.home / "mail" / "new").glob("*")]
