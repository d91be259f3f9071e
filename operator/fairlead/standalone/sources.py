"""Everything that people write for `fairlead up`: manifests, the installation, who is stopped."""

import asyncio
from collections.abc import AsyncIterator

from structlog.typing import FilteringBoundLogger

from fairlead.adapters import watch
from fairlead.adapters.manifest_files import ManifestFiles
from fairlead.api.installation import Installation
from fairlead.errors import InstallationError
from fairlead.standalone.context import Settings, check_live, read_installation
from fairlead.standalone.inputs import Inputs, Memory, take_in

SETTLE_S = 0.15
"""How long something must be gone before it counts as removed: editors empty or move a file before they write it."""
SETTLE_TIMES = 3


class Sources:
    """The files. Any change of one means "read everything again": there are no incremental edits."""

    def __init__(self, settings: Settings, log: FilteringBoundLogger) -> None:
        self._settings, self._log = settings, log
        self._files = ManifestFiles(settings.paths, without=(settings.config,))
        self._config = ManifestFiles((settings.config,))
        self._told = ""

    async def changes(self) -> AsyncIterator[None]:
        """Yield whenever a file is another than before."""
        orders = (self._settings.state.killed, self._settings.state.rollout_orders)

        def signature() -> object:
            return self._files.signature(), self._config.signature(), *map(watch.content, orders)

        said: set[str] = set()

        def told(what: str) -> None:  # by the listener of each folder
            if what not in said:
                said.add(what)
                self._log.warning("warning", what=what)

        paths = (*self._settings.paths, self._settings.config, *orders)
        async for _ in watch.changes(paths, signature, told=told):
            yield

    def read(self, installation: Installation, memory: Memory) -> Inputs:
        """Read all manifests."""
        return take_in(
            self._files.read(),
            memory=memory,
            environment=self._settings.environment,
            default_namespace=installation.namespace,
        )

    async def settled(self, installation: Installation, memory: Memory, before: Inputs) -> Inputs:
        """Read, and look again a little later when something is gone that was there before, or is being written."""
        inputs = await asyncio.to_thread(self.read, installation, memory)
        for _ in range(SETTLE_TIMES):
            if before.sources.keys() <= inputs.sources.keys() and not inputs.being_written:
                break
            await asyncio.sleep(SETTLE_S)
            again = await asyncio.to_thread(self.read, installation, memory)
            same = again.sources.keys() == inputs.sources.keys() and not again.being_written
            inputs = again
            if same:
                break
        return inputs

    def installation(self, before: Installation) -> Installation:
        """Return the installation of now, or the one before where it cannot be taken while the gateways run."""
        try:
            new = read_installation(self._settings.config)
            check_live(before, new)
        except InstallationError as error:
            problem = str(error)
        else:
            self._told = ""
            return new
        if problem != self._told:
            self._told = problem
            for line in problem.splitlines():
                self._log.error("refused", what=f"{line}; the installation before stays in effect")
        return before
