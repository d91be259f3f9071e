"""Commands that speak to a cluster: the one that KUBECONFIG names, or another context of it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fairlead.cli import extras
from fairlead.errors import ClusterError

if TYPE_CHECKING:
    from fairlead.adapters.kube import Kube

Command = TypeVar("Command", bound=Callable[..., Any])
T = TypeVar("T")


def context(command: Command) -> Command:
    """Add `--context`."""
    return click.option(
        "--context", metavar="NAME", help="In a cluster: which context of KUBECONFIG. Default: its current one."
    )(command)


def namespace(command: Command) -> Command:
    """Add `-n` and `-A`."""
    one = click.option("-n", "--namespace", metavar="NAME", help="In a cluster: only this namespace.")
    every = click.option(
        "-A", "--all-namespaces", is_flag=True, help="In a cluster: all namespaces, which is the default."
    )
    return one(every(command))


def is_asked(*, local: bool, **options: Any) -> bool:
    """Tell whether a cluster is meant; `local`: `-c` or `--state` is given.

    Raises:
        UsageError: both are meant at once.
        ClusterError: a cluster is, and what it takes is not installed.

    """
    if options.get("namespace") is not None and options.get("all_namespaces"):
        raise click.UsageError("got both -n and -A, want one of them")
    if local and any(options.values()):
        raise click.UsageError(
            "--context, -n and -A ask a cluster, -c and --state ask `fairlead up`: give one or the other"
        )
    if not local and (missing := extras.missing("operator")):
        names = ", ".join(f"`{name}`" for name in missing)
        raise ClusterError(
            f"without -c CONFIG or --state DIR a cluster is asked, and {names} for that is not installed; give one of"
            " the two for `fairlead up`, or run `pip install 'fairlead[operator]'`"
        )
    return not local


def ask(question: "Callable[[Kube], Awaitable[T]]", context: str | None) -> T:
    """Ask a cluster; raises `ClusterError`."""
    from fairlead.adapters.kube_client import connect  # noqa: PLC0415  an extra, which `fairlead up` does without

    async def answer() -> T:
        async with connect(context) as kube:
            return await question(kube)

    return asyncio.run(answer())
