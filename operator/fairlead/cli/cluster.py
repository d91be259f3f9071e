"""Commands that speak to a cluster: the one that KUBECONFIG names, or another context of it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

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
    """Tell whether a cluster is meant; `local`: `-c` or `--state` is given. Raises `UsageError` for both at once."""
    if options.get("namespace") is not None and options.get("all_namespaces"):
        raise click.UsageError("got both -n and -A, want one of them")
    if local and any(options.values()):
        raise click.UsageError(
            "--context, -n and -A ask a cluster, -c and --state ask `fairlead up`: give one or the other"
        )
    return not local


def ask(question: "Callable[[Kube], Awaitable[T]]", context: str | None) -> T:
    """Ask a cluster; raises `ClusterError`, also where the extra for clusters is not installed."""
    try:
        from fairlead.adapters.kube import connect  # noqa: PLC0415  an extra, which `fairlead up` does without
    except ModuleNotFoundError as error:
        what = "a cluster needs `pip install fairlead[operator]`; `fairlead up` needs -c CONFIG or --state DIR"
        raise ClusterError(f"{error.name}: not installed: {what}") from error

    async def answer() -> T:
        async with connect(context) as kube:
            return await question(kube)

    return asyncio.run(answer())
