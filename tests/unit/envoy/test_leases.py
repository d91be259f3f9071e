"""When a gateway asks for a lease, who takes a unit, and what is given back: its own Lua, and a clock of ours."""

from typing import Any

import pytest
from lupa import luajit21

from fairlead.envoy import chunk

START = """
local match, format, concat, KEPT = string.match, string.format, table.concat, kept
local function now() return clock end
"""
REVISION = "r1"
MOST = 32


class World:
    """One worker of a gateway, its clock, and what the budget server grants."""

    def __init__(self, *, kept: int = 4096) -> None:
        self.lua = luajit21.LuaRuntime(unpack_returned_tuples=True)
        names = self.lua.globals()
        names.kept, names.clock = kept, 1_000
        self.leases: Any = self.lua.execute(f"{START}\n{chunk.parts('request', ['leases'])}\nreturn leases")
        self.granted = 0

    def pass_s(self, seconds: int) -> None:
        self.lua.globals().clock += seconds

    def take(
        self,
        ask: str = "100 1",
        size: int = 500,
        *,
        consumer: str = "t/a",
        route: str = "t/chat",
        stream: bool = False,
        revision: str = REVISION,
    ) -> tuple[str | None, str | None, str | None]:
        """Return the unit that a request takes, or None, what its check asks for, and its key."""
        found = self.leases.take(consumer, "chat", size, route, ask, "", stream, revision)
        unit, more, key = (*(found if isinstance(found, tuple) else (found,)), None, None)[:3]
        return unit, more, key

    def come_often(self, count: int = 40, **request: Any) -> tuple[str, str]:
        """Let so many requests come in a second, and return what one of the next second asks for, and its key."""
        for _ in range(count):
            self.take(**request)
        self.pass_s(1)
        for _ in range(MOST):
            unit, want, key = self.take(**request)
            assert unit is None
            if want and key:
                return want, key
        raise AssertionError("nobody asks")

    def grant(self, key: str, units: int = 32, *, life_s: int = 15, size: int = 1024, limit: str = "100") -> str:
        self.granted += 1
        name = f"{self.granted:04x}"
        ends = self.lua.globals().clock + life_s
        self.leases.learn(key, f"{name} {units} {ends} {size} {limit} 1 {REVISION} 0.98")
        return name

    def back(self) -> str | None:
        found: str | None = self.leases.back()
        return found


@pytest.fixture
def world() -> World:
    return World()


def test_who_comes_seldom_asks_for_nothing(world: World) -> None:
    for _ in range(3):
        assert [world.take() for _ in range(3)] == [(None, None, None)] * 3
        world.pass_s(1)
    assert not world.leases.watched()


@pytest.mark.parametrize(("came", "asked"), [(4, "4"), (31, "31"), (500, "32")])
def test_as_many_units_are_asked_for_as_came_in_the_last_second(world: World, came: int, asked: str) -> None:
    want, _ = world.come_often(came)
    assert want == f"{asked},1024,100,1"
    assert world.leases.watched()


def test_of_a_burst_the_first_second_says_enough(world: World) -> None:
    asked = [world.take()[1] for _ in range(70)]
    assert [(number, want) for number, want in enumerate(asked, 1) if want] == [
        (32, "32,1024,100,1"),
        (64, "32,1024,100,1"),
    ]


def test_the_largest_of_two_seconds_is_asked_for(world: World) -> None:
    world.take("300 3", 5_000)
    assert world.come_often()[0] == "32,8192,300,3"


def test_a_second_without_requests_is_no_rate(world: World) -> None:
    for _ in range(40):
        world.take()
    world.pass_s(2)
    assert world.take() == (None, None, None)


def test_each_unit_is_taken_once_and_then_none(world: World) -> None:
    _, key = world.come_often()
    name = world.grant(key, 5)
    assert [world.take() for _ in range(5)] == [(f"{name}.{k}", "0.98", None) for k in range(1, 6)]
    assert world.take() == (None, None, None)
    assert world.back() is None, "nothing is left of it"


def test_every_so_many_requests_one_asks_whether_or_not_a_lease_is_on_its_way(world: World) -> None:
    world.come_often()
    asked = [world.take()[1] is not None for _ in range(96)]
    assert [number for number, does in enumerate(asked, 1) if does] == [32, 64, 96]


def test_as_long_as_enough_is_left_nobody_asks(world: World) -> None:
    _, key = world.come_often()
    name = world.grant(key, 80)
    assert [world.take()[0] for _ in range(49)] == [f"{name}.{k}" for k in range(1, 50)]
    assert world.take()[1] == "32,1024,100,1"
    assert world.take()[0] == f"{name}.50"


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"size": 1_025}, id="more bytes"),
        pytest.param({"ask": "101 1"}, id="more output"),
        pytest.param({"ask": "100 2"}, id="more answers"),
        pytest.param({"ask": "- 1"}, id="no limit"),
        pytest.param({"stream": True}, id="a stream"),
        pytest.param({"route": "t/other"}, id="another route"),
        pytest.param({"consumer": "t/b"}, id="another consumer"),
        pytest.param({"ask": "i2 1"}, id="images"),
        pytest.param({"ask": "0 free"}, id="nothing to pay"),
        pytest.param({"ask": "100 1+"}, id="it goes on from an answer"),
    ],
)
def test_a_lease_covers_what_it_was_made_for(world: World, other: dict[str, Any]) -> None:
    _, key = world.come_often()
    name = world.grant(key)
    assert world.take(**other)[0] is None
    assert world.take()[0] == f"{name}.1"


def test_requests_without_a_limit_have_leases_of_their_own(world: World) -> None:
    want, key = world.come_often(ask="- 1")
    assert want == "32,1024,-,1"
    name = world.grant(key, limit="-")
    assert world.take()[0] is None
    assert world.take("- 1")[0] == f"{name}.1"


def test_what_is_left_at_the_end_is_given_back_once(world: World) -> None:
    _, key = world.come_often()
    name = world.grant(key)
    world.take()
    world.pass_s(14)
    assert world.back() is None
    assert world.take()[0] == f"{name}.2"
    world.pass_s(1)
    assert world.take()[0] is None
    assert [world.back(), world.back()] == [f"{name}:3-32", None]


def test_what_is_left_is_given_back_though_nobody_like_it_comes(world: World) -> None:
    _, key = world.come_often()
    name = world.grant(key)
    world.pass_s(15)
    assert world.back() == f"{name}:1-32"


def test_other_policies_end_a_lease(world: World) -> None:
    _, key = world.come_often()
    name = world.grant(key)
    assert world.take(revision="r2")[0] is None
    assert world.back() == f"{name}:1-32"
    assert world.take()[0] is None, "it does not come back with the policies"


def test_a_verdict_ends_all_leases_of_its_consumer_and_nobody_else_s(world: World) -> None:
    _, key = world.come_often()
    _, other = world.come_often(consumer="t/b")
    names = [world.grant(key), world.grant(key)]
    theirs = world.grant(other)
    world.leases.void("t/a")
    assert world.take()[0] is None
    assert world.back() == ";".join(f"{name}:1-32" for name in names)
    assert world.take(consumer="t/b")[0] == f"{theirs}.1"


def test_a_message_gives_back_eight_leases_at_most(world: World) -> None:
    _, key = world.come_often()
    for _ in range(20):
        world.grant(key)
    world.pass_s(15)
    given = [world.back() or "" for _ in range(4)]
    assert [len(one.split(";")) if one else 0 for one in given] == [8, 8, 4, 0]
    assert len({lease for one in given if one for lease in one.split(";")}) == 20


def test_of_more_leases_than_eight_the_oldest_is_given_back(world: World) -> None:
    _, key = world.come_often()
    first, *_ = [world.grant(key) for _ in range(9)]
    assert world.back() == f"{first}:1-32"


def test_a_lease_that_nobody_can_use_any_more_is_given_back() -> None:
    world = World(kept=2)
    _, key = world.come_often()
    for consumer in ("t/b", "t/c", "t/d"):
        world.take(consumer=consumer)
    name = world.grant(key)
    assert world.back() == f"{name}:1-32"


@pytest.mark.parametrize("said", ["", "0001 32", "0001 32 2000 1024 100 1 r1", "0001 x 2000 1024 100 1 r1 0.98"])
def test_what_cannot_be_read_is_no_lease(world: World, said: str) -> None:
    _, key = world.come_often()
    world.leases.learn(key, said)
    assert world.take()[0] is None
    assert world.back() is None


def test_memory_is_bounded() -> None:
    world = World(kept=16)
    _, key = world.come_often()
    for number in range(100):
        world.take(consumer=f"t/{number}")
        world.grant(key)
    world.pass_s(15)
    given = 0
    while world.back():
        given += 1
    assert given <= 2 + 16 // 8
