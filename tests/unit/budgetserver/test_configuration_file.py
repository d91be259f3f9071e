"""The configuration on disk."""

import asyncio
from pathlib import Path

import pytest

from fairlead.budget.configuration import BudgetConfiguration, encode
from fairlead.budgetserver import configuration_file
from fairlead.budgetserver.configuration_file import BudgetConfigurationFile
from fairlead.budgetserver.metrics import Metrics
from fairlead.errors import BudgetConfigurationError


def configuration(request_bytes: int) -> BudgetConfiguration:
    return BudgetConfiguration(
        fail_closed=False,
        request_bytes=request_bytes,
        policies=(),
        consumers={},
        killed=frozenset(),
        routes={},
        targets={},
    )


def test_a_missing_or_wrong_book_is_an_error(tmp_path: Path) -> None:
    file = BudgetConfigurationFile(tmp_path / "book.json", Metrics())
    with pytest.raises(BudgetConfigurationError, match="no such file"):
        file.load()
    (tmp_path / "book.json").write_text("{}")
    with pytest.raises(BudgetConfigurationError, match=r"book\.json: version"):
        file.load()


def test_changes_are_seen_and_wrong_ones_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration_file, "POLL_S", 0.002)
    metrics = Metrics()
    path = tmp_path / "book.json"
    path.write_bytes(encode(configuration(1)))
    file = BudgetConfigurationFile(path, metrics)
    seen: list[int] = []

    async def run() -> None:
        assert file.load().request_bytes == 1
        watching = asyncio.create_task(file.watch(lambda found: seen.append(found.request_bytes)))
        path.write_bytes(b"{")
        while not metrics.registry.get_sample_value("fairlead_budget_book_errors_total"):
            await asyncio.sleep(0.001)
        path.unlink()
        await asyncio.sleep(0.01)
        other = tmp_path / "other"
        other.write_bytes(encode(configuration(2)))
        other.rename(path)
        while not seen:
            await asyncio.sleep(0.001)
        watching.cancel()

    asyncio.run(run())
    assert seen == [2]
    assert metrics.registry.get_sample_value("fairlead_budget_book_errors_total") == 1, "told once"
    assert metrics.registry.get_sample_value("fairlead_budget_book_info", {"digest": file.digest}) == 1
