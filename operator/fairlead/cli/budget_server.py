"""`fairlead budget-server`."""

import asyncio
import gc
import importlib.util
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from fairlead.budgetserver.settings import Settings

EXTRAS = ("hpack", "google.protobuf", "redis", "aiohttp", "cryptography", "prometheus_client", "structlog", "uvloop")


@click.command()
@click.option(
    "--config",
    "configuration",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The configuration: policies, consumers, prices, made by the compiler. Read again whenever it changes.",
)
@click.option("--rpc", default="127.0.0.1:8081", show_default=True, help="Where gateways ask: HOST:PORT or unix:PATH.")
@click.option(
    "--usage",
    default="127.0.0.1:8082",
    show_default=True,
    help="Where gateways lead GET /v1/usage; it believes the consumer's name, so only they may reach it.",
)
@click.option("--http", default="127.0.0.1:8083", show_default=True, help="Metrics, health and /v1/budgets.")
@click.option(
    "--store",
    default="sqlite:budget.db",
    show_default=True,
    envvar="FAIRLEAD_BUDGET_STORE",
    help="redis://HOST:PORT/DB, rediss://, unix://PATH, sqlite:PATH or memory:. A password belongs into the variable.",
)
@click.option(
    "--store-timeout",
    type=click.FloatRange(min=0.001),
    default=0.2,
    show_default=True,
    metavar="SECONDS",
    help="How long a step of the store may take: less than the gateways wait for a check.",
)
@click.option(
    "--answers-store",
    default="",
    envvar="FAIRLEAD_ANSWERS_STORE",
    help="Where answers are that gateways share: redis://HOST:PORT/DB, rediss:// or unix://PATH. Default: as --store.",
)
@click.option(
    "--answers-key",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file of the key that they are encrypted by in Redis, the same for all servers. Default: one of its own.",
)
@click.option(
    "--gateway",
    "gateways",
    multiple=True,
    metavar="URL",
    help="Where a gateway shows its metrics (every address of the name is read), or file:PATH with one URL per line.",
)
@click.option(
    "--reconcile-every",
    type=click.FloatRange(min=0.1, max=10),
    default=7.0,
    show_default=True,
    metavar="SECONDS",
    help="From one reading of gateways' counters to the next; what reports lost is booked by the second one.",
)
def command(
    *,
    configuration: Path,
    rpc: str,
    usage: str,
    http: str,
    store: str,
    store_timeout: float,
    answers_store: str,
    answers_key: Path | None,
    gateways: tuple[str, ...],
    reconcile_every: float,
) -> None:
    """Answer gateways' budget checks, and book what was spent.

    SIGTERM ends it in order: what is under way is answered and booked first.
    """
    missing = [name for name in EXTRAS if importlib.util.find_spec(name.partition(".")[0]) is None]
    if missing:
        raise click.ClickException(
            f"got no {', '.join(f'`{name}`' for name in missing)}, want the budget server's extras; "
            "run `pip install 'fairlead[budget]'`"
        )
    from fairlead.budgetserver.settings import Settings  # noqa: PLC0415 - one command's, loaded with it

    settings = Settings(
        configuration=configuration,
        rpc=rpc,
        usage=usage,
        http=http,
        store=store,
        store_timeout_s=store_timeout,
        answers_store=answers_store,
        answers_key=answers_key,
        gateways=gateways,
        reconcile_every_s=reconcile_every,
    )
    import uvloop  # noqa: PLC0415 - an extra, which may be missing

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings))


def stand_by() -> None:
    """Load what a server needs; then be one as a line of JSON on stdin says, or end with the input.

    For `fairlead.adapters.standby`, which writes the line.
    """
    gc.disable()  # what is loaded stays: looking through it takes a tenth of the time
    import structlog  # noqa: PLC0415 - all of this is what takes its time
    import uvloop  # noqa: PLC0415

    from fairlead.budgetserver import server  # noqa: PLC0415
    from fairlead.cli import journal  # noqa: PLC0415

    del structlog, uvloop, server, journal
    gc.freeze()
    gc.enable()
    line = sys.stdin.readline()
    if not line:
        return
    told = json.loads(line)
    descriptor = os.open(told["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)
    os.environ |= told["environment"]
    command(told["arguments"], prog_name="fairlead budget-server")


async def _serve(settings: "Settings") -> None:
    from fairlead.adapters.budget_server import LOST  # noqa: PLC0415
    from fairlead.adapters.clock import SystemClock  # noqa: PLC0415
    from fairlead.budgetserver.server import BudgetServer  # noqa: PLC0415
    from fairlead.cli import journal  # noqa: PLC0415
    from fairlead.errors import FairleadError  # noqa: PLC0415

    journal.of_a_server()
    clock = SystemClock()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    try:
        server = BudgetServer(settings, lambda: int(clock.now().timestamp() * 1000))
        await server.start()
    except (FairleadError, OSError) as error:
        raise click.ClickException(str(error)) from error
    # What is there now stays, and little else makes cycles: else collecting takes a tenth of the time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    await stopped.wait()
    if await server.stop():
        sys.exit(LOST)
