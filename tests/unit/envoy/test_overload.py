"""What a gateway refuses follows from what its process may take."""

import json
import re
from dataclasses import replace

import pytest

from fairlead.envoy import Layout, overload
from fairlead.ir import Limits, ListenAddress

MB = 1 << 20
LIMITS = Limits(request_bytes=16 * MB)
ANYWHERE = ListenAddress(address="127.0.0.1", port=1)
LAYOUT = Layout(
    xds_dir="/x",
    keys_dir="/k",
    credentials_dir="/c",
    listen=ANYWHERE,
    metrics_listen=None,
    admin="/a",
    access_log="/dev/null",
    ca_file="/ca",
)


@pytest.mark.parametrize(
    ("said", "place", "memory"),
    [(None, None, None), (512, None, 512), (None, 512, 512), (512, 1024, 512), (1024, 512, 512)],
)
def test_the_smaller_limit_holds(said: int | None, place: int | None, memory: int | None) -> None:
    limits, layout = replace(LIMITS, memory_bytes=said), replace(LAYOUT, memory_bytes=place)
    assert overload.memory_bytes(limits, layout) == memory


@pytest.mark.parametrize(("memory", "heap"), [(64, 32), (192, 96), (256, 128), (480, 352), (1000, 800)])
def test_some_of_it_is_no_heap(memory: int, heap: int) -> None:
    assert overload.heap_bytes(memory * MB) == heap * MB


def bounds(memory: int, request_bytes: int) -> dict[str, int]:
    limits = Limits(request_bytes=request_bytes, memory_bytes=memory)
    return {
        one["name"]: one["typed_config"]["extension_config"]["typed_config"]["gradient_controller_config"][
            "concurrency_limit_params"
        ]["max_concurrency_limit"]
        for one in overload.at_once(limits, LAYOUT)
    }


@pytest.mark.parametrize("memory", [256 * MB, 1024 * MB, 8192 * MB])
@pytest.mark.parametrize("request_bytes", [1 * MB, 3 * MB, 16 * MB, 256 * MB])
def test_large_bodies_have_room_all_together(memory: int, request_bytes: int) -> None:
    found = {name: count for name, count in bounds(memory, request_bytes).items() if name.endswith("mb")}
    largest = dict(zip(found, (2_000_000, 5_000_000, request_bytes), strict=False))
    more_than_one = {name: count for name, count in found.items() if count > 1}
    taken = sum(count * min(largest[name], request_bytes) * 7 // 4 for name, count in more_than_one.items())
    assert taken <= overload.heap_bytes(memory) * 6 // 10
    assert min(found.values()) >= 1, "one is always let in"


@pytest.mark.parametrize("memory", [128 * MB, 256 * MB, 1024 * MB])
def test_smaller_bodies_of_one_size_have_room_before_requests_are_refused_for_memory(memory: int) -> None:
    sizes = {"10kb": 30_000, "30kb": 100_000, "100kb": 300_000, "300kb": 1_000_000}
    found = bounds(memory, 16 * MB)
    for name, largest in sizes.items():
        assert found[f"fairlead-bodies-{name}"] * largest * 7 // 4 <= overload.heap_bytes(memory) // 2


@pytest.mark.parametrize("length", [10_000, 29_999, 30_000, 99_999, 100_000, 999_999, 1_000_000, 4_999_999, 10**8])
@pytest.mark.parametrize("zeros", ["", "0", "000"])
def test_a_length_is_of_one_class(length: int, zeros: str) -> None:
    limits = Limits(request_bytes=1 << 30, memory_bytes=1024 * MB)
    patterns = [
        json.dumps(one).partition('"regex": "')[2].partition('"')[0] for one in overload.at_once(limits, LAYOUT)
    ]
    assert sum(re.fullmatch(pattern, f"{zeros}{length}") is not None for pattern in patterns) == 1
    assert not any(re.fullmatch(pattern, f"{zeros}9999") for pattern in patterns)


def test_bodies_that_are_too_large_anyway_have_no_class() -> None:
    assert list(bounds(1024 * MB, 9999)) == []
    assert len(bounds(1024 * MB, 999_999)) == len(overload.SMALL)
    assert len(bounds(1024 * MB, 1_500_000)) == len(overload.SMALL) + 1
    assert bounds(1024 * MB, 16 * MB) == {
        "fairlead-bodies-10kb": 8180,
        "fairlead-bodies-30kb": 2454,
        "fairlead-bodies-100kb": 818,
        "fairlead-bodies-300kb": 245,
        "fairlead-bodies-1mb": 58,
        "fairlead-bodies-2mb": 17,
        "fairlead-bodies-5mb": 5,
    }


@pytest.mark.parametrize(("memory", "most"), [(256, 2048), (512, 6144), (1024, 9000)])
def test_connections_have_room_all_together(memory: int, most: int) -> None:
    limits = Limits(request_bytes=MB, connections=9000)
    made = overload.bootstrap(limits, replace(LAYOUT, memory_bytes=memory * MB))
    _, monitor = made["overload_manager"]["resource_monitors"]
    assert monitor["typed_config"]["max_active_downstream_connections"] == most


def test_without_a_limit_only_connections_are_bounded() -> None:
    made = overload.bootstrap(LIMITS, LAYOUT)
    assert overload.at_once(LIMITS, LAYOUT) == []
    assert "actions" not in made["overload_manager"]
    assert "memory_allocator_manager" not in made
    (monitor,) = made["overload_manager"]["resource_monitors"]
    assert monitor["typed_config"]["max_active_downstream_connections"] == LIMITS.connections
