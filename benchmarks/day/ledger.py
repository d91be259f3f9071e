"""The providers' own count against the books of each region's budget server, in nano-dollars."""

import asyncio
import json
import re
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.day.world import NANO_PER_TOKEN, Site
from fairlead.adapters import budget_server
from fairlead.standalone.state import StateFolder

NANO = 1_000_000_000
_UNCHECKED = re.compile(r"^envoy_cluster_ratelimit_budget_failure_mode_allowed\{[^}]*\} (\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What a provider charges for one answer."""

    number: int
    caller: str
    """The region of the gateway that asked."""
    nano: int
    whole: bool
    """Else the provider could not send it to its end: nobody knows what it would charge."""
    late_ms: float
    """How much later its end was sent than was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What stands in the store of a region: all that its gateway has booked."""

    exact: int
    """Of tokens that were counted."""
    estimated: int
    """By bytes, for answers that did not come to their end."""
    reserved: int
    """Not booked yet: held until a report comes, or for a quarter of an hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """Both sides of a region's gateway."""

    region: str
    charged: int
    """By the providers, for whole answers."""
    books: Books

    @property
    def missing(self) -> int:
        """Charged, and not booked."""
        return self.charged - self.books.exact

    def holds(self, *, lost: bool) -> bool:
        """Whether the books are right: to the nano-dollar, or within what a gateway that was lost had reserved."""
        return 0 <= self.missing <= self.books.reserved if lost else self.missing == 0


def charges(journals: Iterable[Path]) -> list[Charge]:
    """Read what providers wrote down."""
    found = []
    for journal in journals:
        for line in journal.read_text().splitlines() if journal.exists() else ():
            told = json.loads(line)
            prompt, completion = NANO_PER_TOKEN[told["model"]]
            found.append(
                Charge(
                    number=int(told["number"]),
                    caller=told["caller"],
                    nano=told["prompt"] * prompt + told["completion"] * completion,
                    whole=told["whole"],
                    late_ms=told["late_ms"],
                )
            )
    return found


def balance(region: str, charged: Iterable[Charge], books: Books) -> Balance:
    """Set a region's books against what providers charge for what its gateway asked."""
    return Balance(
        region=region, charged=sum(one.nano for one in charged if one.whole and one.caller == region), books=books
    )


def books(site: Site) -> Books:
    """Ask a region's budget server."""
    socket = StateFolder(root=site.state.resolve()).budget.places.http
    return read(asyncio.run(budget_server.ask(socket, "/v1/budgets")))


def unchecked(site: Site) -> int:
    """Return how many requests a region's gateway let pass since its budget server did not answer in time."""
    total = 0
    for url in StateFolder(root=site.state.resolve()).budget.places.gateways.read_text().split():
        with urllib.request.urlopen(url, timeout=20) as response:  # noqa: S310 - ours
            total += sum(int(count) for count in _UNCHECKED.findall(response.read().decode()))
    return total


def read(document: Mapping[str, Any]) -> Books:
    """Sum up what it says of all consumers."""
    consumers = [one for policy in document["policies"] for one in policy["consumers"]]
    spent, estimated, reserved = (
        sum(round(one[field] * NANO) for one in consumers) for field in ("spent", "estimated", "reserved")
    )
    return Books(exact=spent - estimated, estimated=estimated, reserved=reserved)
