"""A budget server that has loaded what it needs and waits to be told what it is for.

Loading is most of what its start takes. So whoever may need one lets it load beside its own start.
"""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

from fairlead.adapters import manifest_paths
from fairlead.adapters.child_environment import inherited
from fairlead.adapters.lifeline import dies_with

_COMMAND = (sys.executable, "-c", "from fairlead.cli.budget_server import stand_by; stand_by()", "budget-server")
"""The last word is for whoever looks at the processes."""
_MOST_FILES, _MOST_BYTES = 200, 1 << 20
_WORDS = (b"BudgetPolicy", b"shadow:", b"baseline:", b"feedback:", b"Shared")


class Standby:
    """One such process. It ends with this one, and when it is not told anything."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, environment: Mapping[str, str]) -> "Standby | None":
        """Start one; None where none starts, which whoever needs a server will hear."""
        try:
            process = await asyncio.create_subprocess_exec(
                *_COMMAND,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                env=inherited(environment),
                process_group=0,
                preexec_fn=dies_with(os.getpid()),
            )
        except OSError:
            return None
        return cls(process)

    def become(
        self, arguments: Sequence[str], stores: Mapping[str, str], *, log: Path
    ) -> asyncio.subprocess.Process | None:
        """Tell it what a command line and the environment would; None where it is there no more.

        The variables with the stores' addresses go through a pipe, since they may carry a password.
        """
        told = self._process.stdin
        if self._process.returncode is not None or told is None:
            return None
        line = json.dumps({"arguments": list(arguments), "environment": dict(stores), "log": str(log)})
        told.write(line.encode() + b"\n")
        told.close()
        return self._process

    async def end(self) -> None:
        """Let it go: it is not needed."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


def is_likely(paths: Sequence[Path], database: Path) -> bool:
    """Guess, cheaply, whether somebody has a budget: by files that say so, or by what was spent before."""
    if database.exists():
        return True
    found = manifest_paths.find(tuple(map(str, paths)), without=frozenset())
    files = (Path(one.path) for one in found if isinstance(one.at, manifest_paths.Stamp))
    return any(_mentions(file) for file in islice(files, _MOST_FILES) if file.suffix in manifest_paths.SUFFIXES)


def _mentions(path: Path) -> bool:
    """Tell whether a file has one of the words; what is no file that can be read has none."""
    with contextlib.suppress(OSError):
        if path.is_file():  # and no pipe, which would make us wait
            with path.open("rb") as file:
                content = file.read(_MOST_BYTES)
            return any(word in content for word in _WORDS)
    return False
