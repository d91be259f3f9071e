"""A small configuration: a token costs a nano-dollar, a request of `server.Gateway` reserves 150 and spends 70."""

from pathlib import Path

from fairlead.budget.configuration import BudgetConfiguration, RouteTerms, encode
from fairlead.budget.estimate import Rung
from fairlead.budget.policy import Policy, Scope
from fairlead.budget.price import Price
from fairlead.budget.window import Forever, Window

RESERVED, SPENT = 150, 70


def write(
    path: Path, limit: int, *, window: Window | None = None, scope: Scope = Scope.PER_CONSUMER, closed: bool = False
) -> Path:
    price = Price(input=10**6, output=10**6, cached_input=10**6)
    configuration = BudgetConfiguration(
        fail_closed=closed,
        request_bytes=1_000_000,
        policies=(Policy(name="t/p", scope=scope, limit=limit, window=window or Forever(), stages=(), routes=None),),
        consumers={"t/a": ("t/p",), "t/b": ("t/p",), "t/free": ()},
        killed=frozenset(),
        routes={"t/chat": RouteTerms(max_output_tokens=None, downgrade_to=None, plans={"": ("p/e/m",)})},
        targets={"p/e/m": Rung(price=price, max_output_tokens=None, context_window=None, generates=True)},
    )
    path.write_bytes(encode(configuration))
    return path
