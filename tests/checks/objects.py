"""The objects of a build, what they define and what they want: for the checks that look behind the
sources. Says what is missing with exit(), since nothing can be looked at then.
"""
import json
import os
import subprocess


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def sources_of(build):
    """Object, as a path from the build folder -> its source, as a path from the root of the tree."""
    path = os.path.join(build, "compile_commands.json")
    if not os.path.exists(path):
        raise SystemExit(f"{path} is missing; run: meson setup {build}")
    with open(path, encoding="utf-8") as file:
        entries = json.load(file)
    if not entries:
        raise SystemExit(f"{path} names no source")
    root = os.path.dirname(os.path.realpath(entries[0]["directory"]))
    return {entry["output"]: os.path.relpath(
                os.path.normpath(os.path.join(entry["directory"], entry["file"])), root)
            for entry in entries}


def plain(symbol):
    """Without what the compiler puts behind the name of a part of a function."""
    return symbol.split("@")[0] if symbol.startswith(".") else symbol.split("@")[0].split(".")[0]


def symbols(paths):
    """Object -> what it defines for others, what it defines at all, and what it wants from elsewhere."""
    for path in paths:
        if not os.path.exists(path):
            raise SystemExit(f"{path} is missing; run: ninja")
    tables = {path: (set(), set(), set()) for path in paths}
    for line in run("nm", "--print-file-name", *tables) if tables else ():
        path, entry = line.split(":", 1)
        exported, defined, wanted = tables[path]
        kind, name = entry.split()[-2:]
        (wanted if kind in "Uwv" else defined).add(plain(name))
        if kind.isupper() and kind not in "UWV":
            exported.add(plain(name))
    return tables


def cycles(graph):
    """The sets of more than one node that reach each other (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            at = stack.index(node)
            if len(stack) - at > 1:
                found.append(frozenset(stack[at:]))
            del stack[at:]

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found
