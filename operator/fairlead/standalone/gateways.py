"""One region: its folder, its Envoy, and which files that serves."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from structlog.typing import FilteringBoundLogger

from fairlead.adapters import disk
from fairlead.adapters.envoy_admin import ClusterHealth, EnvoyAdmin
from fairlead.adapters.envoy_process import EnvoyProcess
from fairlead.errors import EnvoyError, FairleadError, StateError
from fairlead.runtime import saved
from fairlead.runtime.children import ended, keep_alive, works
from fairlead.standalone import ending, plan
from fairlead.standalone.readback import NOTHING, SUBSCRIBED, Readback
from fairlead.standalone.release import Serving, listeners_between
from fairlead.standalone.state import RegionFolder

WORDS_S = 1.0
"""How long to wait for what Envoy has to say about a refusal: it writes its log twice a second."""
PATIENCE_S = 30.0
"""An Envoy that starts for longer is worth a word: it resolves the names of all providers before it listens."""
STEP_S = 30.0
"""How long Envoy may take to serve one file: of thousands of routes seconds, and more on a busy machine."""
WARM_S = 0.5
"""How long new clusters may take to resolve; after that they do so while the next rung serves."""
POLL_S = (0.002, 0.05)
"""First and longest pause between two looks at Envoy's counters, unless a look takes longer than that."""
BACK_OFF_S = (0.1, 10.0)
"""First and longest pause before an Envoy that died is started again."""
PATIENCE = 4
"""Questions to its admin interface without an answer after which an Envoy counts as hung: about twelve seconds. To take
in a large file it pauses for one or two; on an overloaded machine for longer, so that one that works has a minute."""
START_HUNG_S = 60.0
"""The same while it starts, when it reads all its files."""
CALM_S = 30.0
"""After a life that long, the first pause is due again."""
DRAIN_TIME_S = 3600
"""How long requests of a listener that was replaced may go on; Envoy keeps the old listener that long."""
END_S = 2.0
"""How long an Envoy may take to end once it was told to."""
CREDENTIAL_AGE_S = 0.15
"""More than Envoy keeps a credential for: `CREDENTIAL_MS` of `lua/upstream/credentials.lua`."""


class LocalGateway:
    """A region's Envoy and its files. One task applies changes, one keeps the Envoy alive."""

    def __init__(
        self, *, name: str, folder: RegionFolder, concurrency: int, log_level: str, log: FilteringBoundLogger
    ) -> None:
        self.name = name
        self.folder = folder
        self._concurrency = concurrency
        self._log_level = log_level
        self._log = log.bind(region=name)
        self._admin = EnvoyAdmin(folder.admin)
        self._process: EnvoyProcess | None = None
        self._files: plan.Files = {}
        self._written: dict[str, bytes] = {}
        """What stands in Envoy's files by our own writes: half of a change while one is under way. Never read back."""
        self._keys: Any = None
        """The keys as they were written last, and their version."""
        self._keys_version = ""
        self.serving: Serving | None = None
        self._readback = Readback(self._admin)
        self._leftovers = plan.Leftovers()
        self._log_mark = 0
        """How long Envoy's log was when the last change began."""
        self._serving = False
        self._stopping = False
        self._changed: Callable[[], None] = lambda: None
        """Called whenever the Envoy came or went."""
        self._changing = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """Its Envoy's process id; None while there is none."""
        return self._process.pid if self._process and not self._process.ended else None

    async def start(self, serving: Serving | None) -> None:
        """Write the files and start an Envoy on them; returns when it serves them.

        None = start on the files that are there, since no others can be made.

        Raises:
            EnvoyError: it ended, or refused the files.

        """
        async with self._changing:
            self._write_all(serving)
        await self._spawn()

    def _write_all(self, serving: Serving | None) -> None:
        self.folder.make()
        self._leftovers = plan.Leftovers()
        if serving is None:
            self._files = self._last_files()
            self._written = dict(self._files)
        else:
            self._files = plan.stamped(serving.files)
            self._written = dict(self._files)
            self._write_secrets(serving)
            self._write_keys(serving)
            self._restore()
            disk.prune(self.folder.xds, frozenset(self.folder.root / path for path in self._files))
            self._prune_secrets(serving)
        self.serving = serving

    def _restore(self) -> None:
        """Write each file that is not what it was: somebody damaged it."""
        for path, content in self._written.items():
            disk.write(self.folder.root / path, content)

    def _last_files(self) -> plan.Files:
        paths = [self.folder.bootstrap, *sorted(self.folder.xds.glob("*.json"))]
        files = {str(path.relative_to(self.folder.root)): disk.read(path) or b"{}" for path in paths}
        if not all(path in files for path in SUBSCRIBED):
            raise EnvoyError(f"region `{self.name}`: got no configuration that can be served, want one that fits")
        for path in SUBSCRIBED:
            saved.decoded(files[path], _names, str(self.folder.root / path))
        return files

    async def apply(self, serving: Serving) -> None:
        """Make a running Envoy serve these files; returns when it does. Make before break: see `plan`.

        While no Envoy runs the files are written, and the next one starts on them.

        Raises:
            EnvoyError: Envoy refused a file, or did not take it in time; it serves the files of before.

        """
        async with self._changing:
            await self._change(serving)

    async def _change(self, serving: Serving) -> None:
        new, before = plan.stamped(serving.files), self._files
        now = asyncio.get_running_loop().time()
        self._log_mark = _size(self.folder.envoy_log)
        between = listeners_between(self.serving, serving) if self.serving else None
        if between is not None:
            between = plan.stamped({plan.LISTENERS: between})[plan.LISTENERS]
        if self._write_secrets(serving):
            await asyncio.sleep(CREDENTIAL_AGE_S)
        self._restore()
        try:
            keep = self._leftovers.left(before, new, now)
            await self._walk(plan.steps(before, new, listeners_between=between, keep=keep))
        except FairleadError:
            # What was written half-way goes back in the same careful order; a second refusal has nothing to go back to.
            with contextlib.suppress(FairleadError):
                await self._walk(plan.steps(dict(self._written), before))
            raise
        self._files = dict(self._written)
        self.serving = serving
        # A key opens what the directory already knows; a credential goes at once, whoever may still be on its way.
        await self._keys_served(self._write_keys(serving))
        self._prune_secrets(serving)

    async def tidy(self) -> None:
        """Take away what old routes led to, a minute after them; raises `FairleadError` where Envoy does not."""
        now = asyncio.get_running_loop().time()
        async with self._changing:
            if self.serving is None or not self._leftovers.are_due(now):
                return
            keep = self._leftovers.stays(now)
            await self._walk(plan.steps(self._files, plan.stamped(self.serving.files), keep=keep))
            self._files = dict(self._written)
            self._leftovers.forget(now)

    def _write_secrets(self, serving: Serving) -> bool:
        """Write the credentials; whether there was anything to write."""
        written = [
            disk.write(self.folder.credentials / secret / key, value.reveal())
            for (secret, key), value in serving.credentials.items()
        ]
        return any(written)

    def _prune_secrets(self, serving: Serving) -> None:
        keep = frozenset(self.folder.credentials / secret / key for secret, key in serving.credentials)
        disk.prune(self.folder.credentials, keep)

    def _write_keys(self, serving: Serving) -> str:
        """Write the keys where they differ, and return the version to wait for; empty when they do not.

        The version is drawn, not a digest: it stands in a stat, where nobody may try out what the keys could be.
        """
        resources = json.loads(serving.keys)["resources"]
        if resources != self._keys:
            self._keys, self._keys_version = resources, secrets.token_hex(8)
        document = {"resources": resources, "version_info": self._keys_version}
        content = json.dumps(document, separators=(",", ":")).encode()
        return self._keys_version if disk.write(self.folder.keys / "ecds.json", content) else ""

    async def _keys_served(self, version: str) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + STEP_S
        pause = POLL_S[0]
        while version and self._serving and not await self._readback.serves_keys(version):
            if loop.time() > until:
                raise EnvoyError(f"region `{self.name}`: Envoy did not take the keys within {STEP_S:.0f} s")
            await asyncio.sleep(pause)
            pause = min(2 * pause, POLL_S[1])

    async def _walk(self, steps: tuple[plan.Step, ...]) -> None:
        for step in steps:
            path = self.folder.root / step.path
            if step.content is None:
                disk.remove(path)
                self._written.pop(step.path, None)
                continue
            disk.write(path, step.content)
            self._written[step.path] = step.content
            if step.path in SUBSCRIBED and self._serving:
                await self._served(step)

    async def _served(self, step: plan.Step) -> None:
        """Wait until the Envoy serves the step's file, or is no more: the next one starts on it."""
        loop = asyncio.get_running_loop()
        until = loop.time() + STEP_S
        warm_until = loop.time() + WARM_S
        pause = POLL_S[0]
        while self._serving:
            asked = loop.time()
            seen = await self._readback.look()
            # Among thousands of routes so long is Envoy's main thread busy, which is to take the file.
            took = loop.time() - asked
            if seen.version(step.path) == step.version:
                if not seen.warms or loop.time() > warm_until:
                    return
            elif self._readback.refused(seen, step.path):
                words = await self._last_words()
                raise EnvoyError(f"region `{self.name}`: Envoy refused {step.path}: {words}")
            if loop.time() > until:
                raise EnvoyError(f"region `{self.name}`: Envoy did not take {step.path} within {STEP_S:.0f} s")
            await asyncio.sleep(max(pause, took))
            pause = min(2 * pause, POLL_S[1])

    async def _spawn(self) -> None:
        self._log_mark = _size(self.folder.envoy_log)
        self._process = await EnvoyProcess.start(
            bootstrap=self.folder.bootstrap,
            log=self.folder.envoy_log,
            concurrency=self._concurrency,
            drain_time_s=DRAIN_TIME_S,
            level=self._log_level,
        )
        self._readback.forget()
        loop = asyncio.get_running_loop()
        patient_until = loop.time() + PATIENCE_S
        hung_at = loop.time() + START_HUNG_S
        pause = POLL_S[0]
        diagnostic = "ended at start"
        while not self._process.ended:
            if await self._admin.answers():
                hung_at = loop.time() + START_HUNG_S
            elif loop.time() > hung_at:
                diagnostic = "does not answer"
                break
            seen = await self._readback.look() if await self._admin.live() else NOTHING
            if seen.serves(self._files):
                self._serving = True
                return
            if self._readback.refused_any(seen):
                diagnostic = "refused its files"
                break
            if loop.time() > patient_until:
                self._log.warning("waiting", what=f"{self.name} is not ready, providers' names resolve slowly or not")
                patient_until += PATIENCE_S
            await asyncio.sleep(pause)
            pause = min(2 * pause, POLL_S[1])
        words = await self._last_words()
        await self._process.end(within_s=END_S)
        raise EnvoyError(f"region `{self.name}`: Envoy {diagnostic}: {words}")

    async def keep_alive(self, changed: Callable[[], None]) -> None:
        """Start the Envoy again whenever it dies, sooner or later; ends when the region stops."""
        self._changed = changed
        await keep_alive(self, pause_s=BACK_OFF_S, calm_s=CALM_S, sleep=asyncio.sleep)

    @property
    def is_stopping(self) -> bool:
        """Whether its Envoy was told to end."""
        return self._stopping

    async def ended(self) -> int:
        """Wait until the Envoy ended, by itself or because it answered no more; return its exit code."""
        if self._process is None:
            raise EnvoyError(f"region `{self.name}`: got no Envoy to keep alive, want one that was started")
        busy = works(self._process.pid)
        code = await ended(self._process, self._admin.answers, patience=PATIENCE, hangs=self._hangs, busy=busy)
        self._serving = False
        return code

    async def died(self, exit_code: int, again_in_s: float) -> None:
        """Say that the Envoy ended, with its last words."""
        words = await self._last_words()
        self._log.error("envoy died", exit_code=exit_code, again_in_s=again_in_s, last_words=words)
        self._changed()

    async def revive(self) -> None:
        """Start another Envoy on the same files, written anew where damaged; raises `FairleadError`."""
        disk.remove(self.folder.admin)
        async with self._changing:
            if self.serving is not None:
                try:
                    self._write_all(self.serving)
                except OSError as error:
                    raise StateError(f"{self.folder.root}: {disk.reason(error)}") from None
        await self._spawn()

    def failed(self, error: FairleadError, again_in_s: float) -> None:
        """Say that no Envoy starts."""
        self._log.error("envoy does not start", problem=str(error), again_in_s=again_in_s)

    def back(self) -> None:
        """Say that an Envoy serves again."""
        self._log.info("envoy serves again", pid=self.pid)
        self._changed()

    def _hangs(self) -> None:
        self._log.error(
            "envoy hangs", pid=self.pid, what=f"{self.name}: no answer to {PATIENCE} questions or more; it is ended"
        )

    async def health(self) -> tuple[ClusterHealth, ...]:
        """Ask the Envoy for its clusters; none while it does not answer."""
        try:
            return await self._admin.clusters()
        except EnvoyError:
            return ()

    async def in_flight(self) -> int:
        """Count the requests that are served right now, and one for answers not yet sent; 0 when no Envoy answers."""
        return await ending.in_flight(self._admin)

    async def drain(self, *, within_s: float) -> int:
        """Let requests in flight finish while no new connection gets in; returns how many did not in time."""
        self._stopping = True
        return await ending.drain(self._admin, within_s=within_s) if self.pid is not None else 0

    async def stop(self) -> None:
        """End the Envoy at once."""
        self._stopping = True
        if self._process is not None:
            await self._process.end(within_s=END_S)
        await self._admin.aclose()
        disk.remove(self.folder.admin)

    async def rotate_logs(self, *, above_bytes: int) -> None:
        """Rename a log that grew above that to `<name>.1`, in place of the one before, and start a new one."""
        grown = [log for log in (self.folder.access_log, self.folder.envoy_log) if _size(log) > above_bytes]
        for log in grown:
            log.replace(log.with_name(f"{log.name}.1"))
            log.touch(mode=disk.FILE_MODE)  # Envoy would make it readable for everybody
        if grown:
            with contextlib.suppress(EnvoyError):
                await self._admin.reopen_logs()

    async def _last_words(self) -> str:
        """Return what the Envoy complained of since it started, or since the last change began."""
        words = await self._process.last_words(since=self._log_mark, within_s=WORDS_S) if self._process else ""
        return words or f"see {self.folder.envoy_log}"


def _names(document: Any) -> list[str]:
    """Read what `plan` needs of a discovery file."""
    return [item["name"] for item in document["resources"]]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
