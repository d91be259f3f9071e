"""Commands that speak to a cluster: the one that KUBECONFIG names, or another context of it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from fairlead.cli import extras, options
from fairlead.errors import ClusterError, FairleadError, NoClusterError
from fairlead.standalone.state import StateFolder

if TYPE_CHECKING:
    from fairlead.adapters.kube import Kube

Command = TypeVar("Command", bound=Callable[..., Any])
T = TypeVar("T")
_OPTIONS = ("context", "namespace", "all_namespaces")
"""Who gives one of these means a cluster."""


def context(command: Command) -> Command:
    """Add `--context`."""
    return click.option(
        "--context", metavar="NAME", help="In a cluster: which context of KUBECONFIG. Default: its current one."
    )(command)


def contexts(command: Command) -> Command:
    """Add `--context` of a command that asks several clusters at once."""
    return click.option(
        "--context",
        metavar="NAME[,NAME...]",
        help="In a cluster: which context of KUBECONFIG, or which. Default: its current one.",
    )(command)


def namespace(command: Command) -> Command:
    """Add `-n` and `-A`."""
    one = click.option("-n", "--namespace", metavar="NAME", help="In a cluster: only this namespace.")
    every = click.option(
        "-A", "--all-namespaces", is_flag=True, help="In a cluster: all namespaces, which is the default."
    )
    return one(every(command))


def place(config: Path | None, state: Path | None) -> StateFolder | None:
    """Return the state folder that a command is about; None = it is about a cluster.

    Without any option for the one or the other: `.fairlead` of the current folder where there is one, else the cluster.

    Raises:
        UsageError: both are meant at once.
        ClusterError: a cluster is, and what it takes is not installed.

    """
    current = click.get_current_context()
    given = [name for name in _OPTIONS if current.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    local = config is not None or state is not None
    if {"namespace", "all_namespaces"} <= set(given):
        raise click.UsageError("got both -n and -A, want one of them")
    if local and given:
        raise click.UsageError(
            "--context, -n and -A ask a cluster, -c and --state ask `fairlead up`: give one or the other"
        )
    if local or (not given and options.HERE.is_dir()):
        return options.state_folder(config, state)
    check_installed()
    return None


def check_installed() -> None:
    """Raise `ClusterError` where what speaks to clusters is not installed."""
    if missing := extras.missing("operator"):
        names = ", ".join(f"`{name}`" for name in missing)
        raise ClusterError(
            f"without -c CONFIG or --state DIR, and without `{options.HERE}` here, a cluster is asked, and {names} for"
            " that is not installed; give one of the two for `fairlead up`, or run `pip install 'fairlead[operator]'`"
        )


def several(context: str | None) -> tuple[str, ...]:
    """Split what `--context` names: `a,b`. Raises `UsageError` for a name that is empty or stands twice."""
    names = tuple((context or "").split(","))
    if len(names) > 1 and (not all(names) or len({*names}) < len(names)):
        raise click.UsageError(f"got --context `{context}`, want names that differ, with a comma between")
    return names if len(names) > 1 else ()


def ask_each(
    question: "Callable[[Kube], Awaitable[T]]", contexts: Iterable[str], *, within_s: float
) -> dict[str, T | FairleadError]:
    """Ask several clusters at once; what one of them did not answer in time, or at all, is the error in its place."""
    from fairlead.adapters.kube_client import connect  # noqa: PLC0415  an extra, which `fairlead up` does without

    async def one(context: str) -> T | FairleadError:
        try:
            async with asyncio.timeout(within_s), connect(context) as kube:
                return await question(kube)
        except TimeoutError:
            return ClusterError(f"no answer within {within_s:g} s")
        except FairleadError as error:
            return error

    async def each() -> dict[str, T | FairleadError]:
        names = tuple(contexts)
        return dict(zip(names, await asyncio.gather(*map(one, names)), strict=True))

    return asyncio.run(each())


def ask(question: "Callable[[Kube], Awaitable[T]]", context: str | None) -> T:
    """Ask a cluster; raises `ClusterError`, which says where there is no `fairlead up` to be asked either."""
    from fairlead.adapters.kube_client import connect  # noqa: PLC0415  an extra, which `fairlead up` does without

    async def answer() -> T:
        async with connect(context) as kube:
            return await question(kube)

    try:
        return asyncio.run(answer())
    except NoClusterError as error:
        may_be_local = any(one.name == "state" for one in click.get_current_context().command.params)
        if context is not None or not may_be_local:
            raise
        raise NoClusterError(f"no `{options.HERE}` of a `fairlead up` is in this folder, and {error}") from error
