"""`fairlead up`: files in, local Envoys out.

One task sees changes, one reads and applies, one judges health, one per region keeps its Envoy alive, one looks after
logs; all end together. Any change of a file means "read everything again": there are no incremental edits.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from structlog.typing import FilteringBoundLogger

from fairlead.adapters import envoy_admin, signals
from fairlead.adapters.certificates import ca_bundle
from fairlead.adapters.clock import SystemClock
from fairlead.adapters.lock import StateLock
from fairlead.adapters.probe import HttpProbes, trust
from fairlead.api import quantity
from fairlead.api.installation import Installation
from fairlead.errors import EnvoyError, FairleadError, StateError
from fairlead.memo import Memo
from fairlead.runtime.alarm import Alarm
from fairlead.runtime.loops import Loops, first_of
from fairlead.runtime.parallel import each
from fairlead.runtime.pause import GrowingPause
from fairlead.standalone import addresses, change, diagnostics, kill, memory, release, status
from fairlead.standalone.budget_server import Accounts
from fairlead.standalone.context import Settings, layouts_of, read_installation
from fairlead.standalone.diagnostics import Diagnostic, Weight
from fairlead.standalone.exhaustion import LocalExhaustion
from fairlead.standalone.gateways import LocalGateway
from fairlead.standalone.health import LocalHealth
from fairlead.standalone.inputs import Inputs
from fairlead.standalone.recorder import LocalRecorder
from fairlead.standalone.release import Release
from fairlead.standalone.rollouts import LocalRollouts
from fairlead.standalone.sources import Sources

RETRY_S = (0.5, 60.0)
"""First and longest pause before what failed is tried again without a change of a file."""
STAYS = "; the configuration before stays in effect"
LOG_LOOK_S = 5.0
"""How often the size of logs is looked at."""


class Up:
    """One run of the command."""

    def __init__(
        self,
        settings: Settings,
        *,
        log: FilteringBoundLogger,
        set_log_level: Callable[[str], None],
        on_listening: Callable[[frozenset[str]], None] = lambda _: None,
    ) -> None:
        """`set_log_level` is told the installation's `log.level` whenever that may have changed.

        `on_listening` is told the names of models that a region answers, when it does.
        """
        self._on_listening = on_listening
        self._settings = settings
        self._log = log
        self._set_log_level = set_log_level
        self._sources = Sources(settings, log)
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._regions: dict[str, LocalGateway] = {}
        self._accounts = Accounts(settings.state, settings.environment, log, settings.standby)
        self._exhaustion = LocalExhaustion(self._accounts, settings.state, self._warn)
        self._recorder = LocalRecorder(settings.state, settings.environment, log)
        self._stops = kill.Stops(settings.state, self._warn)
        self._health: LocalHealth
        self._rollouts = LocalRollouts(settings.state, SystemClock(), log)
        self._due = Alarm()
        self._failed = False
        self._told: tuple[Diagnostic, ...] = ()

    async def run(self) -> None:
        """Serve until a signal says otherwise.

        Raises:
            FairleadError: it cannot start, or cannot go on.

        """
        self._began = time.monotonic()
        self._hear_signals()
        with StateLock(self._settings.state.root):
            try:
                await self._until_stopped(self._serve())
            finally:
                await self._end()

    def _hear_signals(self) -> None:
        def first(number: signal.Signals) -> None:
            self._log.info("stopping", what=f"{number.name}: requests in flight finish first")
            self._stop.set()

        def again(number: signal.Signals) -> None:
            self._log.warning("stopping", what=f"{number.name} again: requests in flight are cut")
            self._hurry.set()

        signals.hear(first, again)

    async def _until_stopped(self, serving: Coroutine[Any, Any, None]) -> None:
        work = asyncio.create_task(serving)
        stop = asyncio.create_task(self._stop.wait())
        await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if not work.done():
            work.cancel()
        await asyncio.gather(work, stop, return_exceptions=True)
        if not work.cancelled() and (error := work.exception()):
            raise error

    async def _serve(self) -> None:
        try:
            await self._prepare()
            loops = Loops(self._log)
            async with asyncio.TaskGroup() as group:
                for name, region in self._regions.items():
                    group.create_task(loops.run(name, self._keep(region)))
                group.create_task(loops.run("budget server", self._accounts.keep_alive()))
                group.create_task(loops.run("recorder", self._recorder.keep_alive()))
                group.create_task(loops.run("spend", self._exhaustion.watch(self._due.ring)))
                group.create_task(loops.run("files", self._follow()))
                group.create_task(loops.run("reconcile", self._reconcile()))
                group.create_task(loops.run("logs", self._keep_small()))
                watching = self._health.watch(
                    self._regions,
                    self._addresses,
                    lambda: self._release.compiled.endpoints,
                    changed=self._write_status,
                    moved=self._due.ring,
                )
                group.create_task(loops.run("health", watching))
                rolling = self._rollouts.watch(
                    self._regions,
                    self._addresses,
                    lambda: self._release.compiled,
                    lambda: (self._health.now.fleet, self._health.view),
                    changed=self._write_status,
                    moved=self._due.ring,
                )
                group.create_task(loops.run("rollouts", rolling))
        except* FairleadError as group_of_errors:
            raise first_of(group_of_errors) from None

    async def _prepare(self) -> None:
        settings = self._settings
        self._installation = read_installation(settings.config)
        self._set_log_level(self._installation.log.level)
        await envoy_admin.end_orphans([folder.admin for folder in settings.state.regions()])
        self._addresses = await addresses.choose_patiently(self._installation)
        self._ca_file = str(ca_bundle(settings.environment))
        self._memory = memory.load(settings.state, self._warn)
        self._exhaustion.go_on()
        settings.state.forget_secrets_but_of(self._addresses.keys())
        probes = HttpProbes(trust(Path(self._ca_file)))
        self._health = LocalHealth(settings.state, probes, SystemClock(), self._log)
        self._release = await self._make(self._sources.read(self._installation, self._memory), self._installation)
        self._accepted = self._release.inputs
        self._regions = {
            name: LocalGateway(
                name=name,
                folder=settings.state.region(name),
                concurrency=settings.workers_among(len(self._addresses)),
                log_level=settings.envoy_log_level,
                log=self._log,
            )
            for name in self._addresses
        }
        self._tell(self._release)
        # Neither keeps gateways from serving; `_reconcile` tries again.
        for problem in self._remember(self._release):
            self._log.error("refused", what=problem)
            self._failed = True
        try:
            await self._account(self._release, self._installation)
        except StateError as error:
            self._log.error("refused", what=f"{error}; budgets are not enforced until it is mended")
            self._failed = True

    async def _account(self, release: Release, installation: Installation) -> None:
        """Let the budget server know before the gateways do: a consumer that they let in has its budget already."""
        self._recorder.use(installation.recorder)
        if release.budgeted or self._accounts.pid is not None:  # one that runs is told also of no need
            await self._accounts.use(
                release.compiled.configuration,
                store=installation.budgets.store,
                answers_store=installation.cache.store,
                check_timeout_s=quantity.milliseconds(installation.budgets.timeout) / 1000,
                metrics=[f"http://{addresses.shown(address.metrics)}/metrics" for address in self._addresses.values()],
                needed=release.budgeted,
            )
        else:
            await self._accounts.do_without()

    async def _keep(self, region: LocalGateway) -> None:
        """Start one region's Envoy and keep it alive."""
        try:
            await region.start(self._release.regions.get(region.name))
        except (StateError, OSError) as error:  # a full disk, say: what stands there already can serve
            self._log.error("refused", what=f"{error}; {region.name} starts on the files of before")
            self._failed = True
            self._due.ring()
            with contextlib.suppress(EnvoyError):
                await region.start(None)
            if region.pid is None:
                raise StateError(str(error)) from None
        address = self._addresses[region.name]
        listen, metrics = addresses.shown(address.listen), addresses.shown(address.metrics)
        what = f"{region.name} on http://{listen}/v1, metrics on http://{metrics}/metrics"
        self._write_status()  # first: whoever is told may look at once
        self._log.info("listening", what=what, region=region.name, ms=_ms_since(self._began))
        self._on_listening(self._release.compiled.gateways[region.name].names)
        await region.keep_alive(self._write_status)

    # Changes

    async def _follow(self) -> None:
        async for _ in self._sources.changes():
            self._due.ring()

    async def _reconcile(self) -> None:
        """Make everything what the files say whenever they changed; what failed is tried again, ever more slowly."""
        pause = GrowingPause(*RETRY_S)
        within_s = None
        while True:
            if await self._due.within(within_s):
                pause.reset()
            self._due.silence()
            try:
                failures = await self._take_over()
            except (FairleadError, OSError) as error:  # a full disk, say: the gateways serve what they have
                failures = (f"{error}{STAYS}",)
            within_s = pause.after_failure() if failures else None
            for failure in failures:
                self._log.error("refused", what=failure, again_in_s=within_s)
            if self._failed and not failures:
                self._log.info("mended", what="what failed before is in effect now")
            self._failed = bool(failures)

    async def _take_over(self) -> tuple[str, ...]:
        """Read everything and apply it; returns what failed and may succeed when it is tried again."""
        started = time.monotonic()
        installation = self._sources.installation(self._installation)
        inputs = await self._sources.settled(installation, self._memory, self._release.inputs)
        old = self._release
        new = await self._make(inputs, installation, old.compiled.memo)
        self._tell(new)
        lines = [
            *change.secrets(self._accepted, new.inputs),
            *change.objects(old.compiled.last_good, new.compiled.last_good),
        ]
        if installation != self._installation:
            lines.append(f"{self._settings.config}: {change.installation(self._installation, installation)}")
        await self._account(new, installation)
        names = [name for name in self._regions if name in new.regions]
        outcomes = await each(names, lambda name: self._apply(name, new), at_once=len(self._regions))
        failures = tuple(f"{outcome}{STAYS}" for outcome in outcomes if outcome)
        for failure in new.too_large.values():
            self._log.error("refused", what=f"{failure}{STAYS}")
        self._rollouts.now.note_applied()
        if failures or new.too_large:
            # What is kept as last good must be able to serve: the next change is compared with what serves now.
            last_good = old.compiled.last_good
            self._release = replace(new, compiled=replace(new.compiled, last_good=last_good), health=old.health)
            self._write_status()
        else:
            self._release, self._accepted = new, new.inputs
            self._installation = installation
            self._set_log_level(installation.log.level)
            failures = self._remember(new)
            self._write_status()  # before it is said, here too
            for line in lines:
                self._log.info("accepted", what=line, ms=_ms_since(started))
            self._health.tell_shifts(old.health, new.health)
        return failures

    async def _apply(self, name: str, new: Release) -> str | None:
        try:
            await self._regions[name].apply(new.regions[name])
        except (FairleadError, OSError) as error:
            return str(error)
        return None

    async def _make(self, inputs: Inputs, installation: Installation, memo: Memo | None = None) -> Release:
        killed = self._stops.read()
        state, run, budget = self._settings.state, self._settings.run, self._accounts.addresses
        recorder = self._recorder.address_for(installation)
        layouts = layouts_of(
            installation, self._addresses, state, ca_file=self._ca_file, budget=budget, recorder=recorder, run=run
        )
        health = self._health.now
        make = partial(
            release.make,
            inputs,
            installation,
            self._memory,
            layouts,
            killed=killed,
            exhaustions=self._exhaustion.known,
            health=health.shares,
            drained=health.drained,
            memo=memo,
        )
        return await self._rollouts.settled(lambda shares: asyncio.to_thread(make, rollouts=shares))

    def _warn(self, what: str) -> None:
        self._log.warning("warning", what=what)

    def _remember(self, served: Release) -> tuple[str, ...]:
        """Keep what serves as last good; returns why a restart would not know it."""
        last_good, files = served.compiled.last_good, served.inputs.files
        self._memory = replace(self._memory, objects=last_good, files=files, secrets=served.inputs.secrets)
        try:
            memory.save(self._settings.state, last_good=last_good, files=files)
        except StateError as error:
            return (f"{error}; what serves now is not remembered over a restart",)
        kill.keep_room(self._settings.state)
        return ()

    # What people see

    def _tell(self, new: Release) -> None:
        """Log what is newly wrong, and what is no longer."""
        found = diagnostics.diagnostics(new, in_effect=True)
        for one in found:
            if one not in self._told:
                level = self._log.error if one.weight is Weight.PROBLEM else self._log.warning
                level("refused" if one.weight is Weight.PROBLEM else "warning", what=str(one))
        subjects = {one.about for one in found}
        for one in self._told:
            if one.weight is Weight.PROBLEM and one.about not in subjects:
                subjects.add(one.about)
                self._log.info("mended", what=one.subject or one.source)
        self._told = found

    def _write_status(self) -> None:
        try:
            status.write(
                self._settings.state,
                geos={region.name: region.geo for region in self._installation.regions},
                listening=self._addresses,
                regions=self._regions,
                release=self._release,
                diagnostics=self._told,
                health=self._health,
                rollouts=self._rollouts.now,
                now_ms=int(SystemClock().now().timestamp() * 1000),
            )
        except StateError as error:
            self._log.warning("warning", what=f"{error}; `fairlead status` shows something older")

    async def _keep_small(self) -> None:
        while True:
            for region in self._regions.values():
                try:
                    await region.rotate_logs(above_bytes=self._settings.log_bytes)
                except OSError as error:
                    self._warn(f"{error}; the logs of {region.name} grow until it is mended")
                try:
                    await region.tidy()
                except (FairleadError, OSError) as error:
                    self._warn(f"{error}; {region.name} keeps what old routes led to until that is mended")
            await asyncio.sleep(LOG_LOOK_S)

    # The end

    async def _end(self) -> None:
        regions = self._regions.values()
        within_s = self._settings.drain_timeout_s
        drain: asyncio.Future[Any] = asyncio.gather(*(region.drain(within_s=within_s) for region in regions))
        hurry = asyncio.create_task(self._hurry.wait())
        await asyncio.wait({drain, hurry}, return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        if drain.done():
            cut = sum(drain.result())
        else:
            drain.cancel()
            await asyncio.gather(drain, return_exceptions=True)
            cut = sum(await asyncio.gather(*(region.in_flight() for region in regions)))
        if cut:
            self._log.warning("stopping", what=f"{cut} requests were still in flight and are cut")
        await asyncio.gather(*(region.stop() for region in regions))
        await asyncio.gather(self._accounts.stop(), self._recorder.stop())
        if self._regions:
            self._health.save()
            self._log.info("stopped", what="all gateways have ended")


def _ms_since(moment: float) -> int:
    return round(1000 * (time.monotonic() - moment))
