"""What a request costs SQLite, by how many requests, consumers and policies it remembers.

    PYTHONPATH=. python -m benchmarks.budgets.remembered [ENTRIES ...]

Microseconds of CPU for one check and one report on a database file that already has so many requests of the last 15
minutes, by as many consumers as there are requests for a hundred each. The rows are made by SQL; what is measured goes
through the store. It must not grow with anything but the depth of trees.
"""

import asyncio
import sqlite3
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

from fairlead.budget.ledger import Hold, Plan, Posting, Settlement
from fairlead.budgetserver.sqlite import SqliteStore
from fairlead.budgetserver.store import KEEP_MS

NOW = 1_800_000_000_000
HOUR = 3_600_000
REQUESTS = 2_000
ROUNDS = 3
POLICIES = (1, 4)
EACH = 100
"""Requests of a consumer that are remembered."""


def posting(policy: int, consumer: int) -> Posting:
    """Make the counter of a policy and a consumer."""
    return Posting(counter=f"t/p{policy}|t/c{consumer}|{NOW}", cap=10**15, downgrade_at=None, keep_ms=HOUR + KEEP_MS)


def fill(path: Path, entries: int, policies: int) -> None:
    """Remember requests that are settled, in all moments of the last quarter of an hour, and their counters."""
    consumers = max(1, entries // EACH)
    with sqlite3.connect(path) as connection:
        connection.executemany(
            "INSERT OR REPLACE INTO entry VALUES (?, ?, 'settled', 1000, 900, 0, 0, '[]', ?)",
            (
                (
                    f"t/c{number % consumers}|old{number}",
                    f"t/c{number % consumers}",
                    NOW + 1 + number * 900_000 // entries,
                )
                for number in range(entries)
            ),
        )
        connection.executemany(
            "INSERT OR REPLACE INTO counter VALUES (?, 1, 0, 0, ?)",
            (
                (posting(policy, consumer).counter, NOW + HOUR + KEEP_MS)
                for policy, consumer in product(range(policies), range(consumers))
            ),
        )
    connection.close()


async def measure(path: Path, entries: int, policies: int) -> float:
    """Return the least microseconds of a check and a report, of some rounds: other load only ever adds."""
    store = SqliteStore(path, timeout_s=60, warn=sys.exit)
    consumers = max(1, entries // EACH)
    await store.ping()
    fill(path, entries, policies)
    least = float("inf")
    for turn in range(ROUNDS):
        began = time.process_time()
        for number in range(REQUESTS):
            consumer = number * 7919 % consumers
            request = f"t/c{consumer}|{turn}-{number}"
            postings = tuple(posting(policy, consumer) for policy in range(policies))
            plan = Plan(amount=1_000, postings=postings)
            await store.reserve(Hold(request=request, payer=f"t/c{consumer}", plan=plan, downgrade=None, now_ms=NOW))
            ended = Settlement(
                request=request,
                payer=f"t/c{consumer}",
                cost=900,
                estimated=False,
                postings=postings,
                now_ms=NOW,
                reserved=True,
            )
            await store.settle(ended, None)
        least = min(least, (time.process_time() - began) / REQUESTS * 1e6)
    await store.close()
    return least


def main() -> None:
    """Print a table."""
    sizes = [int(word) for word in sys.argv[1:]] or [1_000, 100_000, 1_000_000]
    print(f"{'remembered':>12} {'consumers':>10} {'policies':>9} {'us per request':>15}")
    for entries, policies in product(sizes, POLICIES):
        with tempfile.TemporaryDirectory() as folder:
            cost = asyncio.run(measure(Path(folder) / "budget.db", entries, policies))
        print(f"{entries:>12,} {max(1, entries // EACH):>10,} {policies:>9} {cost:>15.0f}")


if __name__ == "__main__":
    main()
