"""One run of the demo: the folder, everybody in it, the story, and the time after it."""

import asyncio
from pathlib import Path

import click

from fairlead.demo.cast import Cast
from fairlead.demo.child import ChildError
from fairlead.demo.invitation import invitation
from fairlead.demo.narrator import Narrator
from fairlead.demo.port import PortError
from fairlead.demo.promise import StoryError
from fairlead.demo.runaway import RunawayError
from fairlead.demo.scene import Scene, SceneError
from fairlead.demo.story import Pace, Story

ERRORS = (StoryError, SceneError, ChildError, PortError, RunawayError)


async def perform(folder: Path, *, once: bool, seconds: float, speed: float) -> int:
    """Tell the story in `folder`, stay up unless `once`; return the exit code."""
    narrator = Narrator()
    failed = False
    click.secho("Fairlead: multi-region LLM routing, on this machine. Ctrl-C ends it at any time.", bold=True)
    try:
        with Scene(folder) as scene:
            async with Cast(scene) as cast:
                await Story(scene, cast, narrator, Pace(seconds=seconds, speed=speed)).tell()
                click.echo()
                click.secho(f"All steps passed in {narrator.seconds:.0f} s.", fg="green", bold=True)
                if not once:
                    await _stay(scene, cast)
    except* ERRORS as group:
        for error in _leaves(group):
            click.secho(f"fairlead demo: {error}", fg="red", err=True)
        failed = True  # `except*` allows no return
    return int(failed)


async def _stay(scene: Scene, cast: Cast) -> None:
    """Print what to paste, and wait until somebody presses Ctrl-C; raise `ChildError` if `fairlead up` ends."""
    click.echo(f"\nThe regions stay up until Ctrl-C. Try:\n\n{invitation(scene)}\n")
    if cast.up is None:
        return
    try:
        await cast.up.ended()
    except asyncio.CancelledError:
        click.echo("\nStopping.")
        return
    raise ChildError(f"{cast.up.name}: ended by itself; {cast.up.tail()}")


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    return [
        leaf
        for each in group.exceptions
        for leaf in (_leaves(each) if isinstance(each, BaseExceptionGroup) else [each])
    ]
