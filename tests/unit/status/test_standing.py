from typing import Any

import pytest

import builders
from fairlead.api.conditions import EndpointReason, Reason
from fairlead.compiler import DeclaredEndpoint
from fairlead.health.endpoint import Cause, EndpointHealth, State
from fairlead.health.fleet import Fleet
from fairlead.health.record import Record, Row
from fairlead.health.standing import Evidence, Standing
from fairlead.status import traffic
from fairlead.status.standing import EndpointStanding, diversion, standings
from fairlead.status.traffic import Failing
from fairlead.statuses import Failure
from served_targets import gateways, target

T0 = 1_764_412_271_000


def declared() -> tuple[DeclaredEndpoint, ...]:
    endpoints = [builders.endpoint("us", builders.US), builders.endpoint("eu", builders.EU_WEST)]
    return builders.compiled(
        builders.provider("p", endpoints=endpoints), builders.provider("q"), builders.route("chat")
    ).endpoints


def failing(**fields: Any) -> Failing:
    plain: dict[str, Any] = {
        "subject": "p/us",
        "provider": "p",
        "endpoint": "us",
        "targets": ("p/us/small",),
        "failure": Failure.CREDENTIAL_REJECTED,
        "message": "answers 401: check Secret `keys`",
        "since_ms": T0,
        "regions": ("us-east-1",),
    }
    return Failing(**{**plain, **fields})


def standing(found: list[Failing], **health: Any) -> EndpointStanding:
    fleet = Fleet(endpoints={"p/us": EndpointHealth(**health)} if health else {})
    return next(one for one in standings(declared(), fleet, found) if one.name == "p/us")


def test_an_endpoint_of_which_nothing_is_known_harms_nobody() -> None:
    found = standing([])
    assert (found.state, found.share, found.since_ms, found.reason) == (State.UNKNOWN, 100, None, "Pending")
    assert found.is_well


@pytest.mark.parametrize(
    ("state", "share", "well"),
    [
        (State.HEALTHY, 100, True),
        (State.HEALTHY, 0, False),
        (State.SUSPECT, 100, False),
        (State.RECOVERING, 100, False),
        (State.DRAINED, 0, False),
        (State.DOWN, 0, False),
    ],
)
def test_anything_but_its_whole_share_in_health_wants_a_look(state: State, share: int, well: bool) -> None:
    assert standing([], state=state, share=share, since_ms=T0).is_well is well


def test_an_endpoint_that_no_route_uses_wants_none() -> None:
    unused = next(one for one in standings(declared(), Fleet(), []) if one.provider == "q")
    assert (unused.used, unused.is_well) == (False, True)


def test_what_real_traffic_fails_at_is_red_while_probes_are_well() -> None:
    found = standing([failing()], state=State.HEALTHY, reason=Cause.HEALTHY, since_ms=T0 - 5)
    assert (found.state, found.reason, found.since_ms) == (State.SUSPECT, "CredentialRejected", T0)
    assert found.message == "answers 401: check Secret `keys`"


def test_an_endpoint_that_is_down_keeps_its_state_and_says_what_to_do() -> None:
    found = standing([failing()], state=State.DOWN, share=0, reason=Failure.CREDENTIAL_REJECTED, since_ms=T0 + 5)
    assert (found.state, found.since_ms, found.message) == (State.DOWN, T0 + 5, "answers 401: check Secret `keys`")


def test_a_drain_is_no_failure() -> None:
    found = standing([failing()], state=State.DRAINED, share=0, reason=Cause.DRAINED, message="drained until then")
    assert (found.reason, found.message) == ("Drained", "drained until then")


def test_one_model_that_fails_is_not_its_endpoint() -> None:
    assert standing([failing(subject="p/us/small")]).state is State.UNKNOWN


def test_every_cause_and_failure_is_a_word_of_the_reference() -> None:
    words = {str(one) for one in (*EndpointReason, *Reason)}
    assert {str(one) for one in (*Cause, *Failure)} <= words
    assert {str(one) for one in EndpointReason} <= {str(one) for one in Cause}


LADDER = ("p/us/small", "p/eu/small")


def down(share: int = 0, state: State = State.DOWN) -> list[EndpointStanding]:
    health = EndpointHealth(
        state=state, share=share, since_ms=T0, reason=Failure.CONNECTION_FAILED, message="connection refused"
    )
    return list(standings(declared(), Fleet(endpoints={"p/us": health}), []))


def test_a_route_says_who_serves_instead_since_when_and_why() -> None:
    said = "served by eu-west-1 since 2025-11-29T10:31:11Z, primary us-east-1 Down: connection refused"
    assert diversion({"us-east-1": LADDER}, down()) == said
    assert diversion({"us-east-1": LADDER, "eu-central-1": LADDER}, down()) == said


def test_a_share_between_is_said() -> None:
    said = diversion({"us-east-1": LADDER}, down(50, State.RECOVERING))
    assert "primary us-east-1 Recovering (50% of its traffic)" in said


def test_gateways_whose_primary_is_well_say_nothing() -> None:
    assert diversion({"eu-west-1": LADDER[::-1]}, down()) == ""
    said = diversion({"eu-west-1": LADDER[::-1], "us-east-1": LADDER}, down())
    assert said.startswith("in us-east-1 served by eu-west-1 since")


def test_an_only_endpoint_serves_on_whatever_its_share() -> None:
    assert diversion({"us-east-1": LADDER[:1]}, down()).startswith("served by p/us since")


def test_wildcard_routes_are_told_alike() -> None:
    assert diversion({"us-east-1": ("p/us/*", "p/eu/*")}, down()).startswith("served by eu-west-1")


def test_steps_that_files_have_no_room_for_are_said_to_be_skipped() -> None:
    fleet = Fleet(endpoints={"p/us": EndpointHealth(state=State.RECOVERING, share=50, message="returns")})
    us, eu = (
        next(one for one in standings(declared(), fleet, [], without_steps=["eu", "ap"]) if one.name == name)
        for name in ("p/us", "p/eu")
    )
    assert us.message == "returns; all or nothing in ap, eu, whose files have no room for shares between"
    assert eu.message == ""


SEEN_MS = 1_000


def red(outcome: tuple[int, str], record: Record | None) -> bool:
    """Whether an endpoint whose attempts came to that is said to fail, by what health remembers of it."""
    standing = Standing(outcome=outcome, failed=1, since_ms=1, failed_ms=SEEN_MS)
    evidence = Evidence(standings={("eu", "p/e/a"): standing})
    records = {} if record is None else {"p/e": record}
    return bool(traffic.failing(evidence, gateways(target("p/e/a")), now_ms=9_000, records=records))


def remembered(*, recovered_ms: int | None = None, keyed_ms: int | None = None, bad: int = 0) -> Record:
    row = Row(keyed_ms=keyed_ms, bad=bad)
    return Record(identity="", since_ms=0, moved_ms=0, watched_ms=0, recovered_ms=recovered_ms, row=row)


@pytest.mark.parametrize(
    ("outcome", "record", "is_red"),
    [
        ((0, "UF"), None, True),
        ((0, "UF"), remembered(), True),
        ((0, "UF"), remembered(recovered_ms=SEEN_MS - 1), True),
        ((0, "UF"), remembered(recovered_ms=SEEN_MS + 1), False),
        ((500, "-"), remembered(recovered_ms=SEEN_MS + 1), False),
        ((401, "-"), remembered(recovered_ms=SEEN_MS + 1), True),
        ((404, "-"), remembered(recovered_ms=SEEN_MS + 1), True),
        ((401, "-"), remembered(keyed_ms=SEEN_MS - 1), True),
        ((401, "-"), remembered(keyed_ms=SEEN_MS + 1), False),
        ((401, "-"), remembered(keyed_ms=SEEN_MS + 1, bad=1), True),
    ],
)
def test_red_ends_without_a_request_where_probes_have_seen_as_much(
    outcome: tuple[int, str], record: Record | None, is_red: bool
) -> None:
    assert red(outcome, record) is is_red
