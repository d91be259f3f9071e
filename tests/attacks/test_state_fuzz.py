"""State that cannot be read is absent, with one warning: whatever became of files, nothing of them ends a start."""

import asyncio
import json
import os
import random
import sqlite3
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from damage import damaged, damaged_json
from running_up import budget, consumer, provider, route, secret

from fairlead import envoy, ir
from fairlead.adapters.manifest_files import ManifestFiles
from fairlead.budget.configuration import decode as decode_book
from fairlead.budget.ledger import Hold, Plan, Posting, Settlement
from fairlead.budget.reconciliation import Count, UsageCounter, UsageCounterKey
from fairlead.budget.spend import decode as decode_spend
from fairlead.budgetserver.sqlite import SqliteStore
from fairlead.budgetserver.store import StoreError, UsageCounterUpdate
from fairlead.errors import BudgetConfigurationError, StateError
from fairlead.standalone import addresses, kill, memory, release, status
from fairlead.standalone.context import layouts_of, read_installation
from fairlead.standalone.inputs import take_in
from fairlead.standalone.release import Release
from fairlead.standalone.state import StateFolder

SEED = int(os.environ.get("FAIRLEAD_FUZZ_SEED", "20260601"))
COUNT = int(os.environ.get("FAIRLEAD_FUZZ_COUNT", "0"))
FILES, DATABASES = max(300, COUNT // 100), max(60, COUNT // 1_000)
NOW = 1_800_000_000_000
STOPPED = "fairlead/agent"
PRICE = {"input": 1, "output": 1, "cachedInput": 1}
STATUS = {
    "regions": [
        {"name": "us-east-1", "geo": "us", "listen": "a", "metrics": "b", "pid": 1, "admin": "c", "digest": None}
        | {"routes": [], "targets": [{"name": "t", "region": None, "cluster": "d", "price": PRICE}]}
    ],
    "drainedRegions": [],
    "rollouts": [],
    "consumers": [STOPPED],
    "objects": [],
    "diagnostics": [{"weight": "problem", "subject": "", "source": "", "message": "m"}],
    "endpoints": [],
    "failing": [],
}


class Installed:
    """A folder with manifests, and what a run of `fairlead up` left in its state folder."""

    def __init__(self, root: Path) -> None:
        self.manifests = root / "m"
        self.manifests.mkdir()
        config = root / "fairlead.yaml"
        config.write_text("regions: [{name: us-east-1, geo: us, listen: '127.0.0.1:8101'}]")
        self.installation = read_installation(config)
        self.state = StateFolder(root=root / ".fairlead")
        objects = [
            provider("http://127.0.0.1:1/v1", "sparrow"),
            secret("sim", key="sk-provider"),
            route("chat", "sparrow"),
            consumer("agent", "k"),
            secret("agent", k="sk-agent"),
            budget("5"),
        ]
        (self.manifests / "all.yaml").write_text(yaml.safe_dump_all(objects))
        kill.write(self.state, frozenset({STOPPED}))
        served, _ = self.start()
        assert served.compiled.configuration
        memory.save(self.state, last_good=served.compiled.last_good, files=served.inputs.files)
        region = self.state.region("us-east-1")
        region.make()
        (region.keys / "ecds.json").write_bytes(served.regions["us-east-1"].keys)
        self.state.status.write_text(json.dumps(STATUS))
        self.state.budget.make()
        self.state.budget.places.configuration.write_bytes(served.compiled.configuration)
        names = ("killed.json", "last-good.json", "sources.json", "status.json", "us-east-1/keys/ecds.json")
        self.files: Mapping[str, bytes] = {name: (self.state.root / name).read_bytes() for name in names}
        self.book = served.compiled.configuration
        # From now on the files say nothing: all that is served comes from the state folder.
        (self.manifests / "all.yaml").write_text("kind: [\n")

    def start(self) -> tuple[Release, list[str]]:
        """Do what a start of `fairlead up` does with what stands there; returns what it says of that, too."""
        said: list[str] = []
        remembered = memory.load(self.state, said.append)
        stopped = kill.Stops(self.state, said.append).read()
        inputs = take_in(
            ManifestFiles((self.manifests,)).read(),
            memory=remembered,
            environment={},
            default_namespace=self.installation.namespace,
        )
        anywhere = ir.ListenAddress(address="127.0.0.1", port=0)
        layouts = layouts_of(
            self.installation,
            {"us-east-1": addresses.Addresses(listen=anywhere, metrics=anywhere)},
            self.state,
            ca_file="/dev/null",
            budget=envoy.BudgetServer(rpc="unix:/x", usage="unix:/y"),
            run="r1",
        )
        made = release.make(inputs, self.installation, remembered, layouts, killed=stopped)
        self.stopped = stopped
        return made, said


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(tmp_path_factory.mktemp("state"))


def test_the_state_that_is_damaged_is_what_is_served(installed: Installed) -> None:
    served, said = installed.start()
    assert said == []
    assert served.regions["us-east-1"].gateway.consumers[0].name == STOPPED
    assert served.regions["us-east-1"].credentials is not None
    assert installed.stopped == {STOPPED}


@pytest.mark.timeout(7200)
def test_no_damaged_file_ends_a_start(installed: Installed) -> None:
    silent = 0
    for number in range(FILES):
        rng = random.Random(f"{SEED}/{number}")
        broken = set(rng.sample(sorted(installed.files), rng.choice((1, 1, 2, len(installed.files)))))
        for name, content in installed.files.items():
            (installed.state.root / name).write_bytes(damaged_json(rng, content) if name in broken else content)
        try:
            _, said = installed.start()
        except BaseException as error:
            error.add_note(f"seed {SEED}, state {number}: {sorted(broken)}")
            raise
        silent += not said
        for name in installed.files:
            assert sum(f"/{name}:" in what for what in said) <= 1, (number, said)
            assert name in broken or not any(f"/{name}:" in what for what in said), (number, said)
        unread = any("/killed.json:" in what for what in said)
        if "killed.json" not in broken or (unread and "last-good.json" not in broken):
            assert installed.stopped == {STOPPED}, (number, said)
        try:
            status.read(installed.state)
        except StateError as error:
            assert "status.json" in broken, error  # noqa: PT017 - both ways are fine
    assert silent < FILES * 2 / 3, "else the damage shows nothing"


@pytest.mark.timeout(7200)
def test_no_damaged_document_is_more_than_one_error(installed: Installed) -> None:
    spend = json.dumps({"version": 1, "configuration": "x", "store_up": True, "accounts": []}).encode()
    for number in range(FILES):
        rng = random.Random(f"{SEED}/book/{number}")
        try:
            decode_book(damaged_json(rng, installed.book))
        except BudgetConfigurationError as error:
            assert "\n" not in str(error), number  # noqa: PT017
        try:
            found = json.loads(damaged_json(rng, spend))
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            try:
                decode_spend(found)
            except BudgetConfigurationError as error:
                assert "\n" not in str(error), number  # noqa: PT017


# The database of budgets

KEY = UsageCounterKey(gateway="g", consumer="t/a", route="t/r", target="p/e/m")
CONSUMERS = [f"t/{number}" for number in range(40)]
SPENT = 20
_COLUMNS = {
    "counter": ("name", "spent", "reserved", "estimated", "gone_ms"),
    "entry": ("request", "payer", "phase", "amount", "booked", "counters", "due_ms"),
    "booked": ("key", "requests", "input"),
    "meter": ("key", "state"),
    "gateway": ("name", "seen_ms"),
    "version": ("number", "since_ms"),
}
_VALUES = ("junk", "", None, 1.5, b"\xff\x00", "[]", "[" * 2_000, '{"seen": 1}', "9" * 30, -5, 2**62)


@dataclass(frozen=True, slots=True)
class Opened:
    """What is found in a database."""

    spent: list[int]
    said: list[str]
    failures: list[str]


def posting(name: str) -> Posting:
    return Posting(counter=name, cap=10**9, downgrade_at=None, keep_ms=None)


async def fill(store: SqliteStore) -> None:
    """Book for everybody, at the same time: what comes by itself waits for others to share its transaction."""
    holds = [
        Hold(
            request=f"{name}|open",
            payer=name,
            plan=Plan(amount=7, postings=(posting(name),)),
            downgrade=None,
            now_ms=NOW,
        )
        for name in CONSUMERS
    ]
    done = [
        Settlement(
            request=f"{name}|done",
            payer=name,
            cost=SPENT,
            estimated=False,
            postings=(posting(name),),
            now_ms=NOW,
        )
        for name in CONSUMERS
    ]
    await _all(store.reserve(hold) for hold in holds)
    await _all(store.settle(one, (KEY, Count(requests=1, input=2))) for one in done)
    known = await store.read_usage_counters(NOW)
    counters = {KEY: UsageCounter(seen=Count(requests=9), due=Count(), reconciled=Count())}
    await store.write_usage_counters(
        UsageCounterUpdate(version=known.version, usage_counters=counters, gateways=("g",), bookings=(), now_ms=NOW)
    )


async def _all(steps: Iterable[Awaitable[object]]) -> None:
    """Take them all; raises what the first one failed by that did."""
    for came in await asyncio.gather(*steps, return_exceptions=True):
        if isinstance(came, BaseException):
            raise came


def use(path: Path) -> Opened:
    """Do all that a server does with a database; only the store's own errors may come."""
    said: list[str] = []
    failures: list[str] = []

    async def whole() -> list[int]:
        store = SqliteStore(path, timeout_s=20, warn=said.append)
        try:
            steps = (
                lambda: store.expire(NOW, 100),
                lambda: store.read_usage_counters(NOW),
                lambda: fill(store),
                store.ping,
            )
            try:
                found = [counter.spent for counter in await store.counters(CONSUMERS)]
            except StoreError as error:
                failures.append(str(error))
                return []
            for step in steps:
                try:
                    await step()
                except StoreError as error:
                    failures.append(str(error))
            return found
        finally:
            await store.close()

    return Opened(asyncio.run(whole()), said, failures)


@pytest.mark.timeout(7200)
def test_no_damaged_database_is_silent_or_ends_a_server(tmp_path: Path) -> None:
    path = tmp_path / "budget.db"
    assert use(path).failures == []
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content, told = path.read_bytes(), 0
    for number in range(DATABASES):
        rng = random.Random(f"{SEED}/{number}")
        for part in tmp_path.iterdir():
            part.unlink()
        path.write_bytes(content)
        if rng.random() < 0.5:
            path.write_bytes(damaged(rng, content))
        else:
            _damage_rows(rng, path)
        sound = _is_sound(path)
        first, again = use(path), use(path)
        lost = first.spent and any(0 <= spent < SPENT for spent in first.spent)
        assert first.spent or first.failures, number
        assert not lost or first.said or sound, (number, first)
        assert len(first.said) <= 1, (number, first)
        # What was told is mended: nothing fails, and nothing is told, a second time.
        newer = any("newer version" in what for what in first.failures)
        assert newer or (again.said, again.failures) == ([], []), (number, first, again)
        told += bool(first.said)
    assert told > DATABASES / 3, "else the damage shows nothing"


def _is_sound(path: Path) -> bool:
    """Whether a database can be read: then it says something else, which nobody can know."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    connection.text_factory = bytes
    try:
        whole = connection.execute("PRAGMA quick_check").fetchone() == (b"ok",)
        wrong = connection.execute("SELECT count(*) FROM counter WHERE typeof(spent) <> 'integer'").fetchone()
    except (sqlite3.Error, UnicodeDecodeError):
        return False
    else:
        return whole and wrong == (0,)
    finally:
        connection.close()


def _damage_rows(rng: random.Random, path: Path) -> None:
    connection = sqlite3.connect(path)
    table = rng.choice(list(_COLUMNS))
    column = rng.choice(_COLUMNS[table])
    order = f"SELECT {_COLUMNS[table][0]} FROM {table} ORDER BY random() LIMIT {rng.choice((1, 3, 40))}"  # noqa: S608
    try:
        with connection:
            statement = f"UPDATE OR REPLACE {table} SET {column} = ? WHERE {_COLUMNS[table][0]} IN ({order})"  # noqa: S608
            connection.execute(statement, (rng.choice(_VALUES),))
    except sqlite3.IntegrityError:
        return
    finally:
        connection.close()
