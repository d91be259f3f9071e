from dataclasses import replace

import pytest

from fairlead.envoy import Layout, directory, names, own
from fairlead.ir import (
    Arm,
    Breaker,
    Consumer,
    Ending,
    Entry,
    Gateway,
    Ladder,
    LastResort,
    Limits,
    ListenAddress,
    ModelKind,
    Plan,
    Route,
    Scope,
    Side,
    Stickiness,
    Target,
    Timeouts,
    Upstream,
)
from fairlead.memo import Memo

UPSTREAM = Upstream(host="us.example.com", port=443, tls=True, base_path="/v1")
TIMEOUTS = Timeouts(first_byte_ms=8000, response_ms=60000, stream_idle_ms=60000, request_ms=300000)


def plan(*, key: str = "", arms: tuple[Arm, ...], kind: ModelKind = ModelKind.CHAT) -> Plan:
    return Plan(key=key, kind=kind, arms=arms, last_model="flash-last", last_target="api/us/flash")


def route(name: str, *plans: Plan, cap: int | None = None) -> Route:
    return Route(
        name=name,
        plans=plans,
        stickiness=Stickiness.CONSUMER,
        max_attempts=3,
        timeouts=TIMEOUTS,
        shadow=None,
        max_output_tokens=cap,
    )


def target(name: str, wire_model: str) -> Target:
    return Target(
        name=name,
        provider="api",
        endpoint="us",
        region="us-east-1",
        model="flash",
        wire_model=wire_model,
        upstream=UPSTREAM,
        credential="",
        breaker=Breaker(consecutive_failures=5, open_for_ms=60000),
        max_in_flight=None,
    )


def consumer(name: str = "team/alice", **changes: object) -> Consumer:
    plain = Consumer(name=name, scopes=("team", "*"), allowed_model_names=None, expires_at=None)
    return replace(plain, **changes)  # type: ignore[arg-type]  # a test's shorthand


LAYOUT = Layout(
    xds_dir="/x",
    keys_dir="/k",
    credentials_dir="/c",
    listen=ListenAddress(address="127.0.0.1", port=1),
    metrics_listen=None,
    admin="/a",
    access_log="/dev/null",
    ca_file="/ca",
)
CHAT_ARM = Arm(ladder="team/chat/0", weight=10000, side=Side.STABLE)
GATEWAY = Gateway(
    region="us-east-1",
    limits=Limits(request_bytes=1000),
    anonymous=None,
    consumers=(consumer(),),
    scopes=(
        Scope(name="*", entries=(Entry(model_name="qwen/q3.5", route="team/all", plan="qwen/q3.5"),)),
        Scope(
            name="team",
            entries=(
                Entry(model_name="chat", route="team/chat", plan=""),
                Entry(model_name="eu-only", route="", plan=""),
            ),
        ),
    ),
    routes=(
        route(
            "team/all",
            plan(
                key="qwen/q3.5",
                arms=(
                    Arm(ladder="team/all/qwen/q3.5/0", weight=5000, side=Side.STABLE),
                    Arm(ladder="team/all/qwen/q3.5/1", weight=5000, side=Side.STABLE),
                ),
            ),
        ),
        route("team/chat", plan(arms=(CHAT_ARM,)), cap=2000),
    ),
    ladders=(
        Ladder(name="team/all/qwen/q3.5/0", rungs=("api/us/q", "api/eu/q"), last_resort="api/us"),
        Ladder(name="team/all/qwen/q3.5/1", rungs=("api/eu/q", "api/us/q"), last_resort="api/us"),
        Ladder(name="team/chat/0", rungs=("api/us/flash",), last_resort="api/us"),
    ),
    targets=(target("api/eu/q", "q-eu"), target("api/us/flash", "flash-us"), target("api/us/q", "q-us")),
    last_resorts=(
        LastResort(name="api/us", provider="api", endpoint="us", region="us-east-1", upstream=UPSTREAM, credential=""),
    ),
    credentials=(),
)


def test_render_of_a_small_gateway() -> None:
    assert directory.render(GATEWAY) == {
        "c:team/alice": "- - team|*",
        "l:*": "qwen/q3.5",
        "l:team": "chat !eu-only",
        "n:*|qwen/q3.5": "team/all Chat - q-us flash-last api/us/flash 5000-5000 @team/all/qwen/q3~5",
        "n:team|chat": "team/chat Chat 2000 flash-us flash-last api/us/flash",
        "n:team|eu-only": "-",
    }


def test_what_is_served_is_read_back_where_the_names_of_a_route_share_a_target() -> None:
    several = route("team/all", *(plan(key=key, arms=GATEWAY.routes[0].plans[0].arms) for key in ("a", "b")))
    other = replace(several.plans[1], last_target="api/us/%7Eb")
    named = replace(GATEWAY.routes[1], plans=(replace(GATEWAY.routes[1].plans[0], last_target="api/us/acme/%7Ev2"),))
    for plans, targets in ((several.plans, {"team/all": "api/flash"}), ((several.plans[0], other), {})):
        entries = tuple(Entry(model_name=one, route="team/all", plan=one) for one in ("a", "b"))
        scopes = (Scope(name="*", entries=entries), GATEWAY.scopes[1])
        gateway = replace(GATEWAY, scopes=scopes, routes=(replace(several, plans=plans), named))
        carrier = {"metadata": {"filter_metadata": {names.DIRECTORY_NAMESPACE: directory.render(gateway)}}}
        hosts = [{"name": "*", "routes": [{"name": "ready"}, carrier]}, {"name": "team/all"}]
        served = directory.stable_targets({"resources": [{"virtual_hosts": hosts}]})
        assert served == {**targets, "team/chat": "api/acme/~v2"}


def test_the_virtual_host_names_the_version_of_its_directory() -> None:
    def version(gateway: Gateway, digest: str = "0" * 64) -> str:
        made = own.host(gateway, LAYOUT, Memo(), digest, silent=())
        return str(made["metadata"]["filter_metadata"][names.DIRECTORY_NAMESPACE][names.VERSION_KEY])

    assert version(GATEWAY) == version(GATEWAY, "1" * 64), "gateways take a directory once, not for each change"
    assert version(GATEWAY) != version(replace(GATEWAY, consumers=(consumer(stopped=True),)))


def test_render_is_sorted_by_key() -> None:
    assert list(directory.render(GATEWAY)) == sorted(directory.render(GATEWAY))


@pytest.mark.parametrize(
    ("caller", "entry"),
    [
        (consumer(expires_at=1798761599), "1798761599 - team|*"),
        (consumer(allowed_model_names=("chat", "qwen/*")), "- chat,qwen/* team|*"),
        (consumer(allowed_model_names=()), "- , team|*"),  # nothing is allowed: not the same as no list
        (consumer(scopes=()), "- - "),  # a namespace without routes, nothing shared
        (consumer(scopes=("team[tier in (pro, max)]", "*")), "- - team[tier in (pro, max)]|*"),
    ],
)
def test_consumer(caller: Consumer, entry: str) -> None:
    assert directory.render(replace(GATEWAY, consumers=(caller,)))["c:team/alice"] == entry


def test_who_is_stopped_stands_in_a_line_of_its_own() -> None:
    entries = directory.render(replace(GATEWAY, consumers=(consumer(stopped=True),)))
    assert entries["s:team/alice"] == directory.STOPPED
    assert entries["c:team/alice"] == "- - team|*"


def test_where_a_budget_is_at_its_end() -> None:
    ends = (Ending(route="", until_s=0), Ending(route="team/a", until_s=9))
    entries = directory.render(replace(GATEWAY, consumers=(consumer(endings=ends),)))
    assert entries["x:team/alice"] == "0 * 9 team/a"


@pytest.mark.parametrize(
    ("routes", "line"),
    [((), None), (None, "r1 *"), (("team/a", "team/b"), "r1 team/a team/b")],
    ids=["none", "all", "some"],
)
def test_where_a_budget_counts_a_callers_spending(routes: tuple[str, ...] | None, line: str | None) -> None:
    entries = directory.render(replace(GATEWAY, consumers=(consumer(budgeted_routes=routes, budget_revision="r1"),)))
    assert entries.get("b:team/alice") == line
    assert entries["c:team/alice"] == "- - team|*"


@pytest.mark.parametrize(
    ("arms", "wire_id"),
    [
        ((CHAT_ARM,), "flash-us"),
        # A candidate of 1 % is not what most requests need.
        (
            (
                Arm(ladder="team/chat/0", weight=100, side=Side.CANDIDATE),
                Arm(ladder="team/chat/1", weight=9900, side=Side.STABLE),
            ),
            "q-us",
        ),
        # All traffic on the candidate: the guess matters little, the name must stand there all the same.
        ((Arm(ladder="team/chat/0", weight=10000, side=Side.CANDIDATE),), "flash-last"),
    ],
)
def test_guess_is_the_first_stable_arm(arms: tuple[Arm, ...], wire_id: str) -> None:
    gateway = replace(
        GATEWAY,
        routes=(GATEWAY.routes[0], route("team/chat", plan(arms=arms))),
        ladders=(*GATEWAY.ladders, Ladder(name="team/chat/1", rungs=("api/us/q",), last_resort="api/us")),
    )
    assert directory.render(gateway)["n:team|chat"].split(" ")[3] == wire_id


@pytest.mark.parametrize("name", ["", "a b", "a,b", "a|b", 'a"b', "a\\b", "a\0b"])
def test_a_name_that_would_break_a_field_is_a_bug(name: str) -> None:
    scope = Scope(name="team", entries=(Entry(model_name=name, route="team/chat", plan=""),))
    with pytest.raises(ValueError, match="want a word"):
        directory.render(replace(GATEWAY, scopes=(scope,)))


def test_ladders_of_a_wildcard_plan_are_numbered() -> None:
    broken = plan(key="q", arms=(Arm(ladder="team/chat/1", weight=10000, side=Side.STABLE),))
    gateway = replace(
        GATEWAY,
        routes=(route("team/all", broken),),
        scopes=(Scope(name="*", entries=(Entry(model_name="q", route="team/all", plan="q"),)),),
        ladders=(Ladder(name="team/chat/1", rungs=("api/us/q",), last_resort="api/us"),),
    )
    with pytest.raises(ValueError, match="one stem"):
        directory.render(gateway)
