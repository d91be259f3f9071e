"""The recorder of `fairlead up`: a child process, started when the installation asks for one.

Nobody waits for it: gateways post and forget, so one that is not there, or hangs, costs pairs and nothing else.
"""

import asyncio
from collections.abc import Mapping

from structlog.typing import FilteringBoundLogger

from fairlead.adapters import disk
from fairlead.adapters.recorder import RecorderProcess
from fairlead.api.installation import Installation, Recorder
from fairlead.errors import RecorderError, StateError
from fairlead.runtime.alarm import Alarm
from fairlead.runtime.pause import GrowingPause
from fairlead.standalone.state import StateFolder

BACK_OFF_S = (0.5, 30.0)
"""First and longest pause before one that died is started again."""
END_S = 5.0


class LocalRecorder:
    """Keeps one recorder alive, as it is wanted. One task runs `keep_alive`, others call `use` and `stop`."""

    def __init__(self, state: StateFolder, environment: Mapping[str, str], log: FilteringBoundLogger) -> None:
        self._state, self._environment, self._log = state, environment, log
        self._wanted: Recorder | None = None
        self._changed = Alarm()
        self._process: RecorderProcess | None = None
        self._stopping = False

    def address_for(self, installation: Installation) -> str | None:
        """Return where gateways post: a socket in a private folder, which nobody else can reach; None without one."""
        return None if installation.recorder is None else f"unix:{self._state.recorder_socket}"

    def use(self, wanted: Recorder | None) -> None:
        """Run one as it is wanted from now on; None: none. It is started, and the one before ended, by `keep_alive`."""
        if wanted != self._wanted:
            self._wanted = wanted
            self._changed.ring()

    async def keep_alive(self) -> None:
        """Start it when it is wanted, and again whenever it ends; ends with its task, or when it stops."""
        pause = GrowingPause(*BACK_OFF_S)
        while not self._stopping:
            self._changed.silence()
            if self._wanted is None:
                await self._changed.within(None)
                continue
            try:
                what = await self._run(self._wanted)
            except (RecorderError, StateError) as error:
                what = str(error)
            if not what:
                pause.reset()
                continue
            again_in_s = pause.after_failure()
            self._log.error("recorder", what=f"{what}; pairs are lost meanwhile", again_in_s=again_in_s)
            await self._changed.within(again_in_s)

    async def _run(self, wanted: Recorder) -> str:
        """Run one, and say that it ended by itself; nothing where another is wanted."""
        self._state.make_recorder()
        disk.remove(self._state.recorder_socket)
        self._process = await RecorderProcess.start(
            socket=self._state.recorder_socket,
            folder=self._state.pairs,
            keep=wanted.keep,
            megabytes=wanted.megabytes,
            log=self._state.recorder_log,
            environment=self._environment,
        )
        self._log.info("recorder", what=f"pairs of answers are kept in {self._state.pairs}", pid=self._process.pid)
        end = asyncio.ensure_future(self._process.wait())
        change = asyncio.ensure_future(self._changed.within(None))
        try:
            await asyncio.wait({end, change}, return_when=asyncio.FIRST_COMPLETED)
            if not end.done():
                await self._process.end(within_s=END_S)
                return ""
            return f"the recorder ended with exit code {end.result()}; see {self._state.recorder_log}"
        finally:
            end.cancel()
            change.cancel()

    async def stop(self) -> None:
        """End it for good."""
        self._stopping = True
        self._changed.ring()
        if self._process is not None:
            await self._process.end(within_s=END_S)
