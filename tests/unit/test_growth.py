"""What many routes take: work that grows with their number and no faster, and files that fit where they go."""

import sys
from dataclasses import replace
from types import FrameType
from typing import Any

import pytest
from benchmarks import operator_scale

from builders import compiled, consumer, endpoint, installation, model, provider, route
from fairlead import envoy
from fairlead.compiler import Compiled
from fairlead.manifests.configuration import parts
from golden_cases import layouts

REGIONS = ("us-east-1", "eu-west-1", "ap-south-1")
STEP = 100
TRACED = 40
"""Routes by which there are more, where each line that runs is counted, which takes ten times as long."""
FIT = 650
"""Routes of three endpoints with a fallback that a region's files hold; `docs/benchmarks.md` says so."""


def many(routes: int, *, packed: bool = False, **spec: Any) -> Compiled:
    """Compile so many routes, of two models at three endpoints, for one region. `spec`: what each says besides."""
    where = {name: replace(layout, packed=packed) for name, layout in layouts(REGIONS[:1]).items()}
    models = [model("large"), model("small")]
    api = provider("p", endpoints=[endpoint(name, name) for name in REGIONS], models=models)
    written = [
        route(
            f"route-{number:04}",
            primary={"provider": "p", "model": "large"},
            fallbacks=[{"provider": "p", "model": "small"}],
            **spec,
        )
        for number in range(routes)
    ]
    return compiled(
        api,
        *written,
        *(consumer(f"consumer-{number:04}") for number in range(200)),
        installed=installation(regions=[{"name": name, "geo": name[:2]} for name in REGIONS]),
        layouts=where,
    )


def steps(routes: int, **spec: Any) -> int:
    """Count the lines of Python that compiling so many routes runs, each turn of a loop or comprehension by itself."""
    count = 0

    def trace(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    many(1, **spec)  # whatever is worked out once is there
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        many(routes, **spec)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize(
    "spec",
    [{}, {"cache": {"ttl": "1h"}}, {"cascade": {"accept": {}}, "cache": {"ttl": "1h"}}],
    ids=["plain", "cache", "cascade and cache"],
)
def test_further_routes_cost_no_more_than_those_before_them(spec: dict[str, Any]) -> None:
    first, second, third = (steps(number * TRACED, **spec) for number in (1, 2, 3))
    assert third - second <= 1.01 * (second - first)


def test_so_many_routes_fit_the_files_of_a_region() -> None:
    gateway = many(FIT).gateways[REGIONS[0]]
    assert not gateway.too_large
    assert gateway.fullness[0] <= 100


def test_packed_so_many_routes_fit_that_a_region_of_2000_is_not_nearly_full() -> None:
    one, two = (many(count, packed=True).gateways[REGIONS[0]].files for count in (STEP, 2 * STEP))
    for path in (envoy.CLUSTERS, envoy.LISTENERS, envoy.ROUTES):
        each = (len(two[path]) - len(one[path])) / STEP
        assert len(one[path]) + (2000 - STEP) * each < 0.6 * envoy.PACKED_LIMIT_BYTES, path
    assert parts(two, packed=True), "and ConfigMaps have room"


def test_the_benchmark_of_the_compiler_runs(capsys: pytest.CaptureFixture[str]) -> None:
    operator_scale._compile(3, "Gzip")
    assert "plan of an unchanged cluster" in capsys.readouterr().out
