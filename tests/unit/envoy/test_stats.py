from typing import Any

import pytest

from fairlead.envoy import logs, stats


def series(loggers: list[dict[str, Any]]) -> dict[str, set[str]]:
    """Names of all series with their labels."""
    named = {}
    for logger in loggers:
        config = logger["typed_config"]
        for one in [*config["counters"], *config["histograms"]]:
            named[f"{config['stats_scope']['prefix']}_{one['stat']['name']}"] = {
                tag["name"] for tag in one["stat"]["tags"]
            }
    return named


@pytest.mark.parametrize(("loggers", "prefix"), [(stats.requests(), ""), (stats.shadows(), "shadow_")])
def test_series_and_their_labels(loggers: list[dict[str, Any]], prefix: str) -> None:
    labels = {"consumer", "route", "target", "region", "model"}
    assert series(loggers) == {
        f"fairlead_{prefix}requests": labels | {"code"},
        f"fairlead_{prefix}prompt_tokens": labels,
        f"fairlead_{prefix}completion_tokens": labels,
        f"fairlead_{prefix}cached_tokens": labels,
        f"fairlead_{prefix}latency_ms": labels,
        f"fairlead_{prefix}first_byte_ms": labels,
    }


def test_no_label_is_what_a_client_writes() -> None:
    values = {
        tag["value_format"]
        for logger in stats.requests()
        for one in [*logger["typed_config"]["counters"], *logger["typed_config"]["histograms"]]
        for tag in one["stat"]["tags"]
    }
    assert logs.MODEL_ASKED not in values


def test_tokens_are_counted_of_answers_that_have_some() -> None:
    every, served = stats.requests()
    assert every["filter"] == logs.NOT_PROBES
    assert served["filter"] == logs.SERVED


def test_what_a_candidate_is_judged_by_is_told_by_arm_and_of_copies_by_route() -> None:
    arm, copy = {"arm", "target"}, {"route", "target"}
    counted = {"prompt_tokens": set(), "completion_tokens": set(), "cached_tokens": set(), "broken": set()}
    counted["finished"] = {"reason", "flags"}
    assert series(stats.answers()) == {f"fairlead_attempt_{name}": arm | more for name, more in counted.items()}
    counted |= {"total": {"code", "flags"}, "first_byte_ms": set()}
    assert series(stats.copies()) == {f"fairlead_copy_{name}": copy | more for name, more in counted.items()}
