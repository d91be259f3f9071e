"""What the whole production hour saves: each request's report, booked by the budget server's own code, in memory.

Nothing is sent and nothing runs beside it. A report is the words that a gateway sends when a request has ended, the
prices and baselines are those of the demo's resources, and what comes out is what `fairlead budgets` says.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import starmap
from pathlib import Path
from typing import Any

from fairlead.budget import baseline
from fairlead.budget.configuration import BudgetConfiguration, decode
from fairlead.budgetserver import descriptor
from fairlead.budgetserver.ledgerview import overview
from fairlead.budgetserver.memory import MemoryStore
from fairlead.budgetserver.metrics import Metrics
from fairlead.budgetserver.ratelimit import RateLimitService
from fairlead.compiler import Compiled
from fairlead.demo.provider.reply import BYTES_PER_TOKEN
from fairlead.demo.replay import ROUTES
from fairlead.demo.trace import Arrival, Service
from fairlead.standalone.offline import compile_offline

NAMESPACE, CONSUMER = "team-web", "team-web/visitor"
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_TARGETS = {Service.CONVERSATION: "cloud/us/open-chat", Service.CODE: "cloud/us/open-code"}
_HUNDRED = 100
_AT_ONCE = 200
"""Reports that may wait to be booked."""
Json = dict[str, Any]


def compiled(folder: Path, *more: Path) -> Compiled:
    """Compile the demo's resources, and what more there is; keys do not matter."""
    folders = (folder / "resources", *more)
    texts = [path.read_text() for one in folders for path in one.glob("*.yaml")]
    found = {name for text in texts for name in _VARIABLE.findall(text)}
    made, _, _ = compile_offline(
        folders, folder / "installation.yaml", {name: f"key-of-{name}" for name in found}, for_pods=False
    )
    return made.compiled


def rules(folder: Path) -> BudgetConfiguration:
    """Return what a budget server rules by in the demo."""
    return decode(compiled(folder).configuration)


async def savings(trace: Iterable[Arrival], configuration: BudgetConfiguration, *, now_ms: int) -> list[Json]:
    """Book every request of a trace, and return what `fairlead budgets -o json` calls `savings`."""
    return await booked(starmap(words, enumerate(trace)), configuration, now_ms=now_ms)


async def booked(reports: Iterable[str], configuration: BudgetConfiguration, *, now_ms: int) -> list[Json]:
    """Book reports as gateways word them; the same answer."""
    store = MemoryStore()
    service = RateLimitService(store=store, configuration=configuration, clock=lambda: now_ms, metrics=Metrics())
    try:
        for number, report in enumerate(reports):
            await service.report(descriptor.report(report))
            if number % _AT_ONCE == 0:
                await service.settled()
        await service.settled()
        found: list[Json] = (await overview(service))["savings"]
    finally:
        await store.close()
    return found


def words(number: int, arrival: Arrival) -> str:
    """Write what a gateway reports of a request that its first rung answered."""
    name, stream = ROUTES[arrival.service], arrival.service is Service.CONVERSATION
    size, sent = BYTES_PER_TOKEN * arrival.prompt_tokens, BYTES_PER_TOKEN * arrival.completion_tokens
    where = f"{NAMESPACE}/{name} none {_TARGETS[arrival.service]}"
    known = f"{CONSUMER} {number} {name} {size} {where} {str(stream).lower()}"
    counts = f"1 {arrival.prompt_tokens} {arrival.completion_tokens} 0 0 0 0 0"
    return f"{known} 200 - 1 {sent} {descriptor.ABSENT} ; - 1 ; {counts}"


def lines(found: Sequence[Json], requests: int) -> list[str]:
    """Write it for a person, as `fairlead budgets` does, with the part that each route saves."""
    return [
        f"{requests:,} requests of a production hour, booked at the prices of the demo's files:",
        *baseline.lines(found)[1:],
        *(f"  {one['route']:<40} {share(one):>13.1f} % saved" for one in found if float(one["baselineUSD"])),
    ]


def share(one: Json) -> float:
    """Return what a route saved, in percent of what its tokens cost at the baseline."""
    return _HUNDRED * float(one["savedUSD"]) / float(one["baselineUSD"])
