"""A guest to boot: Debian's kernel as it is, and an initramfs of busybox, the programs of a build
with the shared libraries they need, the DPDK drivers under test and the kernel modules to give a
device to them. Everything is put together under BUILD/qemu; nothing of it belongs into the tree.

The kernel comes out of its package without being installed: installing one would change what this
machine boots.
"""

import os
import pathlib
import re
import shutil
import stat
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PROGRAMS = ("postern", "postern-dataplane", "postern-scanner", "postern-control")
PLUGINS = ("bus_pci", "bus_vdev", "mempool_ring", "net_e1000", "net_virtio", "net_vmxnet3",
           "net_tap")
# In the order they are loaded in.
MODULES = ("irqbypass", "vfio", "vfio_virqfd", "vfio_iommu_type1", "vfio-pci-core", "vfio-pci",
           "uio", "uio_pci_generic", "tun", "e1000")
ACCOUNTS = """root:x:0:0:root:/:/bin/sh
postern:x:990:990::/nonexistent:/bin/false
postern-scanner:x:991:991::/nonexistent:/bin/false
nobody:x:65534:65534::/nonexistent:/bin/false
"""
GROUPS = "root:x:0:\npostern:x:990:\npostern-scanner:x:991:\nnogroup:x:65534:\n"


class Missing(Exception):
    """Something the machine has not got; its text says what."""


def run(*command, **options):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                            check=False, **options)
    if result.returncode != 0:
        raise Missing("%s: %s" % (" ".join(map(str, command)), result.stderr.strip()))
    return result.stdout


def kernel(folder):
    """The newest kernel of Debian's archive, unpacked under `folder`: (vmlinuz, modules)."""
    found = re.search(r"Depends: (linux-image-\S+)", run("apt-cache", "depends",
                                                         "linux-image-amd64"))
    if not found:
        raise Missing("apt-cache knows no linux-image-amd64; run: apt-get update")
    name = found.group(1)
    place = folder / name
    if not place.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            # apt reads packages as a user of its own where it can.
            os.chmod(scratch, 0o755)
            run("apt-get", "-qq", "download", name, cwd=scratch)
            package = next(pathlib.Path(scratch).glob("*.deb"))
            run("dpkg-deb", "-x", package, pathlib.Path(scratch) / "tree")
            (pathlib.Path(scratch) / "tree").rename(place)
    return next(place.glob("boot/vmlinuz-*")), next(place.glob("lib/modules/*"))


def libraries(*files):
    """The shared libraries that `files` need, and the loader, as paths in this file system."""
    found = set()
    for file in files:
        text = run("ldd", file)
        if "not found" in text:
            raise Missing("%s lacks a library:\n%s" % (file, text))
        found |= set(re.findall(r"(/\S+) \(0x", text))
    return found


class Archive:
    """A cpio archive in the kernel's form ("newc"), written from nothing."""

    def __init__(self, path):
        self.file = open(path, "wb")  # noqa: SIM115 (closed by close())
        self.number = 0
        self.folders = set()
        self.libraries = set()

    def _entry(self, name, mode, content):
        self.number += 1
        encoded = name.encode() + b"\0"
        fields = (self.number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(encoded), 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
        self.file.write(head + b"\0" * (-len(head) % 4))
        self.file.write(content + b"\0" * (-len(content) % 4))

    def folder(self, name, mode=0o755):
        name = name.strip("/")
        if name and name not in self.folders:
            self.folder(os.path.dirname(name))
            self.folders.add(name)
            self._entry(name, stat.S_IFDIR | mode, b"")

    def content(self, name, content, mode=0o644):
        self.folder(os.path.dirname(name.strip("/")))
        self._entry(name.strip("/"), stat.S_IFREG | mode, content)

    def copy(self, source, name):
        self.content(str(name), pathlib.Path(source).read_bytes(), 0o755)

    def link(self, name, target):
        self.folder(os.path.dirname(name.strip("/")))
        self._entry(name.strip("/"), stat.S_IFLNK | 0o777, str(target).encode())

    def library(self, path):
        """A shared library as this machine has it: where its name is a link, so that one file is
        not loaded twice under two names (DPDK's drivers register themselves on loading)."""
        real = os.path.realpath(path)
        name = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        if real not in self.libraries:
            self.libraries.add(real)
            self.copy(real, real)
        if name not in self.libraries:
            self.libraries.add(name)
            self.link(name, real)

    def close(self):
        self._entry("TRAILER!!!", 0, b"")
        self.file.write(b"\0" * (-self.file.tell() % 512))
        self.file.close()


def plugin_folder():
    found = sorted(pathlib.Path("/usr/lib/x86_64-linux-gnu/dpdk").glob("pmds-*"))
    if not found:
        raise Missing("no DPDK drivers under /usr/lib/x86_64-linux-gnu/dpdk")
    return found[-1]


def initramfs(build, modules, path):
    archive = Archive(path)
    for name in ("proc", "sys", "dev", "run", "tmp", "bin", "etc", "modules", "var/lib/postern"):
        archive.folder(name)
    busybox = shutil.which("busybox")
    if busybox is None:
        raise Missing("no busybox; run: platform/packages qemu")
    archive.copy(busybox, "bin/busybox")
    archive.copy(HERE / "init", "init")
    archive.content("etc/passwd", ACCOUNTS.encode())
    archive.content("etc/group", GROUPS.encode())
    archive.content("etc/nsswitch.conf", b"passwd: files\ngroup: files\nhosts: files\n")
    folder = plugin_folder()
    plugins = [folder / ("librte_%s.so" % name) for name in PLUGINS]
    programs = [build / name for name in PROGRAMS]
    for program in programs:
        archive.copy(program, "opt/postern/" + program.name)
    for name in ("lib", "lib64"):
        archive.folder("usr/" + name)
        archive.link(name, "usr/" + name)
    for library in sorted(libraries(*programs, *plugins)) + plugins:
        archive.library(str(library))
    for number, name in enumerate(MODULES):
        source = next(modules.rglob(name + ".ko"), None)
        if source is None:
            raise Missing("the kernel package has no module %s" % name)
        archive.copy(source, "modules/%02d-%s.ko" % (number, name))
    archive.close()


def make(build):
    """(kernel, initramfs) for the programs in `build`."""
    folder = build / "qemu"
    vmlinuz, modules = kernel(folder)
    path = folder / "initramfs"
    initramfs(build, modules, path)
    return vmlinuz, path
