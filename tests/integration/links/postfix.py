"""Postfix as a customer's server: an instance of its own in a directory of its own, started in the
foreground and ended with the test. Takes mail for example.org and keeps it in one Maildir.
"""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

DAEMONS = pathlib.Path("/usr/lib/postfix/sbin")
SERVICES = """\
127.0.0.1:{port} inet n - n - {processes} smtpd
postlog unix-dgram n - n - 1 postlogd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 1 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
"""
STOPPED = ("smtpd", "cleanup")  # what a test may have stopped
QUEUES = ("maildrop", "incoming", "active", "deferred")


def available():
    return os.access(DAEMONS / "master", os.X_OK)


class Postfix:
    FRONT = "smtpd"  # what talks to us
    BACK = "cleanup"  # what takes the end of data

    def __init__(self, processes=50):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="postern-test-postfix-"))
        self.home.chmod(0o755)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
        for name in ("queue", "data", "mail", "config"):
            (self.home / name).mkdir()
        shutil.chown(self.home / "data", "postfix")
        shutil.chown(self.home / "mail", "nobody")
        settings = {
            "compatibility_level": "3.6",
            "queue_directory": self.home / "queue", "data_directory": self.home / "data",
            "daemon_directory": DAEMONS, "command_directory": "/usr/sbin",
            "mail_owner": "postfix", "setgid_group": "postdrop",
            "maillog_file": self.home / "log", "maillog_file_prefixes": self.home,
            "myhostname": "customer.example", "mydestination": "", "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4", "alias_maps": "", "alias_database": "",
            "virtual_mailbox_domains": "example.org", "virtual_mailbox_base": self.home / "mail",
            "virtual_mailbox_maps": "static:inbox/", "virtual_minimum_uid": "1",
            "virtual_uid_maps": "static:65534", "virtual_gid_maps": "static:65534",
            "smtpd_peername_lookup": "no", "smtpd_client_connection_count_limit": "0",
        }
        (self.home / "config" / "main.cf").write_text(
            "".join("%s = %s\n" % pair for pair in settings.items()))
        (self.home / "config" / "master.cf").write_text(
            SERVICES.format(port=self.port, processes=processes))
        self.process = None

    def start(self):
        with open(self.home / "output", "wb") as output:
            self.process = subprocess.Popen(
                ["postfix", "-c", self.home / "config", "start-fg"], stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True)
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
        raise AssertionError("postfix does not start:\n" + said)

    def master(self):
        return int((self.home / "queue" / "pid" / "master.pid").read_text())

    def processes(self, program):
        """Process ids of its daemons of that name: the master's children."""
        master = self.master()
        found = []
        for entry in os.listdir("/proc"):
            try:
                if entry.isdigit() and os.path.basename(os.readlink("/proc/%s/exe" % entry)) == \
                        program and self._parent(entry) == master:
                    found.append(int(entry))
            except OSError:
                pass
        return found

    @staticmethod
    def _parent(entry):
        with open("/proc/%s/stat" % entry, "rb") as file:
            return int(file.read().rsplit(b")", 1)[1].split()[1])

    def signal(self, program, number):
        for pid in self.processes(program):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def kill_oldest(self, program):
        """Not one that falls at its first client: the master starts no other for a minute then."""
        pids = self.processes(program)
        if len(pids) > 1:
            try:
                os.kill(min(pids), signal.SIGKILL)
            except ProcessLookupError:
                pass  # it ended by itself

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            try:
                for program in STOPPED:
                    self.signal(program, signal.SIGCONT)
                os.kill(self.master(), signal.SIGTERM)
                self.process.wait(10)
            except (OSError, subprocess.TimeoutExpired):
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    def queued(self):
        return [path for queue in QUEUES for path in (self.home / "queue" / queue).rglob("*")
                if path.is_file()]

    def delivered(self, seconds=30):
        """The messages in the Maildir, once nothing is queued any more."""
        until = time.monotonic() + seconds
        while self.queued():
            if time.monotonic() > until:
                raise AssertionError("postfix has not delivered: %s" % self.queued())
            time.sleep(0.1)
        return [path.read_bytes() for path in (self.home / "mail" / "inbox" / "new").glob("*")]
