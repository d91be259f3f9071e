"""New models for a route that takes them in by steps: one keeps its bounds, one does not."""

import asyncio
import time

from fairlead.demo.cast import Cast, run
from fairlead.demo.load import Load
from fairlead.demo.narrator import Narrator
from fairlead.demo.promise import POLL_S, expect, no_failures, until
from fairlead.demo.scene import Scene, environment

NAME, ROUTE = "support", "team-web/support"
STABLE, GOOD, BAD = "wren", "robin", "cuckoo"
BAD_SHARE = 0.5
"""So much of what the bad model is asked ends with HTTP 500."""
PER_SECOND = 60
TIMEOUT_S = 60


class Candidates:
    """Changes the route's model and watches, under load."""

    def __init__(self, scene: Scene, cast: Cast, narrator: Narrator) -> None:
        self._scene, self._cast, self._narrator = scene, cast, narrator

    async def take_in(self) -> None:
        """Let a model take over that keeps its bounds."""
        async with self._load() as load:
            await self._change(STABLE, GOOD, ends="Stable (Promoted)")
            load.answered_with.clear()
            await load.answers(PER_SECOND)
            expect(GOOD in load.answered_with, f"got answers of {dict(load.answered_with)}, want {GOOD}'s")
        no_failures(load, self._narrator)

    async def send_back(self) -> None:
        """Try one that does not: its callers are answered by the model that serves already."""
        for control in self._cast.simulated:
            await asyncio.to_thread(control.fault, status=500, probability=BAD_SHARE, model=BAD)
        async with self._load() as load:
            await self._change(GOOD, BAD, ends="RolledBack")
            await self._show_status()
            self._scene.edit(f"model: {BAD}", f"model: {GOOD}")
            await until(lambda: "Stable" in self._said()[-1], TIMEOUT_S, f"{GOOD} did not become stable")
        self._narrator.say(
            f"{load.answered_with[BAD]} callers were answered by {BAD}; it failed {load.rescued} more, and they were "
            f"answered by {GOOD}"
        )
        expect(load.rescued > 0, f"nobody met a failure of {BAD}")
        no_failures(load, self._narrator)

    def _load(self) -> Load:
        return Load(self._scene.regions(), model=NAME, key=self._scene.key, per_second=PER_SECOND)

    async def _change(self, old: str, new: str, *, ends: str) -> None:
        """Edit the route's model, and show what `fairlead up` says of it until the rollout ends."""
        shown = len(self._said())
        self._scene.edit(f"model: {old}", f"model: {new}")
        self._narrator.show(f"{self._scene.routes}\n-   model: {old}\n+   model: {new}")
        self._narrator.say("`fairlead up` says:")
        deadline = time.monotonic() + TIMEOUT_S
        last = ""
        while ends not in last:
            for last in self._said()[shown:]:
                self._narrator.show(last.partition("  route=")[0])
                shown += 1
            expect(time.monotonic() < deadline, f"the rollout of {new} has not ended: {last or 'it never began'}")
            await asyncio.sleep(POLL_S)

    async def _show_status(self) -> None:
        """Show that a target which was sent back is said as long as Git asks for it."""
        installation = str(self._scene.installation)
        code, printed = await run("rollout", "status", "-c", installation, ROUTE, env=environment(self._scene))
        self._narrator.say(f"`fairlead rollout status` ends with exit code {code} until Git asks for {GOOD} again:")
        self._narrator.show(printed)
        expect(code == 1, f"`fairlead rollout status` ended with exit code {code}, want 1")

    def _said(self) -> list[str]:
        return [line for line in self._scene.up_lines() if f"  rollout     {ROUTE}: " in line]
