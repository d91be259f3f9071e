"""The figures of docs/money.md are what the budget server's own code makes of them."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

from fairlead.budget.attempt import TOKENS_PER_SECOND, Attempt
from fairlead.budget.belief import Claim
from fairlead.budget.configuration import BudgetConfiguration, RouteTerms
from fairlead.budget.estimate import Rung
from fairlead.budget.ledger import CORRECTABLE_MS, EXPIRES_AFTER_MS
from fairlead.budget.policy import Action, Policy, Scope, Stage
from fairlead.budget.price import USD, Price
from fairlead.budget.usage import document
from fairlead.budget.window import Forever
from fairlead.budgetserver.answer import exact
from fairlead.budgetserver.backlog import CAPACITY
from fairlead.budgetserver.descriptor import Check, Report
from fairlead.budgetserver.memory import MemoryStore
from fairlead.budgetserver.messages import OVER_LIMIT, Response
from fairlead.budgetserver.metrics import Metrics
from fairlead.budgetserver.ratelimit import RateLimitService
from fairlead.budgetserver.store import KEEP_MS
from fairlead.cli.budget_server import command as budget_server

REPOSITORY = Path(__file__).resolve().parents[3]
PAGE = (REPOSITORY / "docs" / "money.md").read_text()
PREMIUM = Rung(
    price=Price(input=2_500_000_000, output=10_000_000_000, cached_input=1_250_000_000),
    max_output_tokens=16_384,
    context_window=128_000,
    generates=True,
)
VECTORS = Rung(
    price=Price(input=20_000_000, output=0, cached_input=20_000_000),
    max_output_tokens=None,
    context_window=None,
    generates=False,
)
AGENT, ROUTE, EMBED = "team-web/agent-7", "team-web/agent", "team-web/embed"
BODY_BYTES, MAX_TOKENS = 1_710, 900


def configuration() -> BudgetConfiguration:
    policy = Policy(
        name="team-web/agents",
        scope=Scope.PER_CONSUMER,
        limit=USD,
        window=Forever(),
        stages=(Stage(at=8_000, action=Action.NOTIFY),),
        routes=None,
    )
    routes = {
        ROUTE: RouteTerms(max_output_tokens=1_000, downgrade_to=None, plans={"": ("p/e/premium",)}),
        EMBED: RouteTerms(max_output_tokens=None, downgrade_to=None, plans={"": ("p/e/vectors",)}),
    }
    return BudgetConfiguration(
        fail_closed=False,
        request_bytes=33_554_432,
        policies=(policy,),
        consumers={AGENT: (policy.name,)},
        killed=frozenset(),
        routes=routes,
        targets={"p/e/premium": PREMIUM, "p/e/vectors": VECTORS},
    )


class Desk:
    """A service on a store in memory, and a gateway's questions."""

    def __init__(self) -> None:
        self.service = RateLimitService(
            store=MemoryStore(), configuration=configuration(), clock=lambda: 1_000, metrics=Metrics()
        )

    async def check(self, number: int, *, route: str = ROUTE, body_bytes: int = BODY_BYTES) -> Any:
        limit = MAX_TOKENS if route == ROUTE else None
        question = Check(
            consumer=AGENT,
            id=str(number),
            route=route,
            model="m",
            body_bytes=body_bytes,
            output_limit=limit,
            choices=1,
        )
        return Response.FromString(await self.service.check(question))

    async def report(self, number: int, **changes: Any) -> None:
        values = {
            "consumer": AGENT,
            "id": str(number),
            "route": ROUTE,
            "model": "m",
            "target": "p/e/premium",
            "checked": True,
            "metered": True,
            "claim": Claim(input=399, output=900, cached=99),
            "stream": False,
            "body_bytes": BODY_BYTES,
            "sent_bytes": 5_000,
            "status": 200,
            "attempts": 1,
            "reserved": True,
            "rejected": False,
            "gateway": "us-east-1",
        }
        await self.service.report(Report(**{**values, **changes}))

    async def money(self) -> tuple[int, int, int]:
        """Spent, reserved, estimated."""
        (standing,) = await self.service.standings(AGENT)
        return standing.counter.spent, standing.counter.reserved, standing.counter.estimated


def row(start: str) -> str:
    """The amount at the end of a row of a table."""
    (found,) = re.findall(rf"^\| {re.escape(start)}[^|]*\| (\$[0-9.]+) \|$", PAGE, re.MULTILINE)
    return str(found)


def test_the_worked_example() -> None:
    async def run() -> None:
        desk = Desk()
        await desk.check(0)
        _, reserved, _ = await desk.money()
        assert row("reserved:") == f"${exact(reserved)}"
        await desk.report(0)
        cost, after, _ = await desk.money()
        assert after == 0
        assert row("the provider counts") == f"${exact(cost)}"
        assert row("released") == f"${exact(reserved - cost)}"
        for number in range(1, 100):
            assert (await desk.check(number)).overall_code != OVER_LIMIT
            await desk.report(number)
        spent, _, _ = await desk.money()
        assert row("spent after 100") == f"${exact(spent)}"
        refused = await desk.check(100)
        assert refused.overall_code == OVER_LIMIT
        assert json.loads(refused.raw_body)["error"]["code"] == "insufficient_quota"
        assert f"needs room for ${exact(reserved)}" in PAGE.replace("would need", "needs")
        assert row("the 101st") == f"${exact(USD - spent)}"

        shown = document(await desk.service.standings(AGENT))["budget"]
        (example,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
        assert json.loads(example.replace("[...]", "[]"))["budget"] == shown

    asyncio.run(run())


def test_embeddings() -> None:
    async def run() -> None:
        desk = Desk()
        await desk.check(0, route=EMBED, body_bytes=6_000)
        assert f"reserves\n${exact((await desk.money())[1])}." in PAGE

    asyncio.run(run())


def test_attempts_without_an_answer() -> None:
    async def booked(status: int, elapsed_ms: int) -> str:
        desk = Desk()
        await desk.check(0)
        lost = (Attempt(target="p/e/premium", status=status, elapsed_ms=elapsed_ms),)
        await desk.report(
            0, lost=lost, output_limit=MAX_TOKENS, claim=Claim(input=0, output=0), attempts=2, sent_bytes=0
        )
        spent, reserved, estimated = await desk.money()
        assert (reserved, estimated) == (0, spent)
        return f"${exact(spent)}"

    async def run() -> None:
        assert f"{await booked(0, 60_000)} for a timeout" in PAGE
        assert f"{await booked(500, 50)} for a 500" in PAGE
        assert await booked(503, 60_000) == "$0"

    asyncio.run(run())
    assert f"({TOKENS_PER_SECOND:,} tokens a second" in PAGE


def test_times_and_sizes() -> None:
    minutes = EXPIRES_AFTER_MS // 60_000
    assert f"{minutes} minutes after the check" in PAGE
    assert CORRECTABLE_MS == 24 * 3_600_000, "for a day"
    assert f"({CAPACITY:,} of them)" in PAGE
    (reading,) = [option.default for option in budget_server.params if option.name == "reconcile_every"]
    assert f"read them every {reading:g} s" in PAGE
    assert KEEP_MS == 7 * 24 * 3_600_000, "a week after its window"


def test_every_case_of_the_bound_has_a_test() -> None:
    section = PAGE.split("## The bound")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")][1:]
    assert rows
    for row in rows:
        tests = re.findall(r"`(tests/[\w/]+\.py)`", row.split(" | ")[2])
        assert tests, row
        assert [test for test in tests if not (REPOSITORY / test).is_file()] == [], row
