"""The walls of the tree, as docs/architecture.md draws them: its fenced blocks `rooms`, `libraries`,
`exceptions` and `cycles`. The checks have no list of their own, so the document cannot differ from what is enforced.
"""
import os
import re

DOCUMENT = "docs/architecture.md"


class Walls:
    """folders: top folder -> the others it may include. level: room -> its line, 0 the highest of its
    top folder. libraries: how a header's name begins -> rooms. exceptions: (file, header).
    cycles: sets of files."""

    def __init__(self, root):
        self.wrong = []
        self.folders, self.level = {}, {}
        with open(os.path.join(root, DOCUMENT), encoding="utf-8") as file:
            text = file.read()
        self._read_rooms(self._block(text, "rooms"))
        self.libraries = {}
        for line in self._block(text, "libraries"):
            name, *rooms = line.split()
            self.libraries[name] = rooms
            self.wrong += [f"{DOCUMENT}: {room} of {name} is no room" for room in rooms
                           if room not in self.level]
        self.exceptions = set()
        for line in self._block(text, "exceptions"):
            match = re.fullmatch(r"(\S+) -> (\S+) +(\S.*)", line)
            if match:
                self.exceptions.add((match[1], match[2]))
            else:
                self.wrong.append(f"{DOCUMENT}: an exception is FILE -> HEADER REASON, not: {line}")
        self.cycles = []
        for line in self._block(text, "cycles"):
            room, *names = line.split()
            self.cycles.append(frozenset(f"{room}/{name}.c" for name in names))

    def _block(self, text, name):
        blocks = re.findall(rf"^```{name}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        if len(blocks) != 1:
            self.wrong.append(f"{DOCUMENT}: {len(blocks)} blocks `{name}`, not one")
        lines = [line.split("#")[0].rstrip() for block in blocks for line in block.splitlines()]
        return [line for line in lines if line]

    def _read_rooms(self, lines):
        top = None
        for number, line in enumerate(lines):
            if not line.startswith(" "):
                top, below = line.split(":")
                self.folders[top] = below.split()
                continue
            for room in line.split():
                if room.split("/")[0] != top or room in self.level:
                    self.wrong.append(f"{DOCUMENT}: {room} is twice in the list, or below {top}:")
                self.level[room] = number

    def room_of(self, path):
        """The room a file is in: a pair of files that is a room by itself, or else its folder."""
        pair = os.path.splitext(path)[0] + ".*"
        return pair if pair in self.level else os.path.dirname(path)

    def sources(self, root):
        """Every C file of the product, as a path from the root."""
        for top in self.folders:
            for directory, _, names in sorted(os.walk(os.path.join(root, top))):
                for name in sorted(names):
                    if name.endswith((".c", ".h")):
                        yield os.path.relpath(os.path.join(directory, name), root)

    def between(self, path, other):
        """Why the file may not know the other one; None when it may."""
        mine, its = self.room_of(path), self.room_of(other)
        top, other_top = path.split("/")[0], other.split("/")[0]
        if its not in self.level:
            return f"is in no room of {DOCUMENT}"
        if mine == its:
            return None
        if os.path.basename(other) == "internal.h":
            return f"is for {its} alone"
        if top != other_top:
            return None if other_top in self.folders[top] else \
                f"points the wrong way: {top}/ is not above {other_top}/"
        if self.level[mine] >= self.level[its]:
            return f"points the wrong way: {mine} is not above {its}"
        return None
