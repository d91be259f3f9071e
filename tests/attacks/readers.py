"""Parsers in other languages, which take for JSON what JSON is not: each says what it finds in a body.

A program in `readers/` gets the names of members as arguments and bodies in base64, one a line. For each it writes one
line: `refused`, or a word for each member: `-` (absent), `null`, `true`, `false`, `s<hex of UTF-8>`, `n<whole number>`,
`n?` (any other number), `?` (an object or array).
"""

import base64
import math
import os
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAMS = Path(__file__).parent / "readers"
REFUSED = "refused"
SECONDS = 3600
NODE_PATH = "/usr/share/nodejs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """One parser."""

    name: str
    command: tuple[str, ...]
    build: tuple[str, ...] = ()
    """What makes the command's program, in a folder of its own."""

    def read(self, bodies: Iterable[bytes], names: Sequence[str], folder: Path) -> list[str]:
        """Say what it finds in each body."""
        if self.build:
            subprocess.run(self.build, cwd=folder, check=True, timeout=120)
        lines = b"".join(base64.b64encode(body) + b"\n" for body in bodies)
        done = subprocess.run(
            [*self.command, *names],
            cwd=folder,
            input=lines,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
            timeout=SECONDS,
            env={**os.environ, "NODE_PATH": NODE_PATH},
        )
        return done.stdout.decode().splitlines()


READERS = (
    Reader(name="Ruby", command=("ruby", str(PROGRAMS / "read.rb"))),
    Reader(name="Perl's JSON::PP, relaxed", command=("perl", str(PROGRAMS / "read.pl"))),
    Reader(name="JSON5", command=("node", str(PROGRAMS / "read.js"))),
    Reader(
        name="jsoncpp",
        build=("g++", "-O1", "-I/usr/include/jsoncpp", "-o", "read", str(PROGRAMS / "read.cpp"), "-ljsoncpp"),
        command=("./read",),
    ),
)


def said(value: Any) -> str:
    """Say what Python's own parser found, as the programs do."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return "s" + value.encode("utf-8", "surrogatepass").hex()
    if isinstance(value, int | float):
        whole = math.isfinite(value) and abs(value) < 1e15 and value == math.floor(value)
        return f"n{int(value)}" if whole else "n?"
    return "?"
