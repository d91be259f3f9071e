"""What traffic told, in words that say what to do."""

from dataclasses import replace
from typing import Any

import pytest

from fairlead.api.conditions import REASONS, ConditionStatus, ConditionType, Reason
from fairlead.health.standing import Evidence, Standing
from fairlead.ir import Protocol
from fairlead.status import traffic
from fairlead.status.traffic import Failing, Gateways
from fairlead.statuses import Failure
from served_targets import gateways, target

NOW_MS = 1_000_000


def failed(status: int, flags: str = "-", since_ms: int = 1) -> Standing:
    return Standing(outcome=(status, flags), failed=1, since_ms=since_ms)


WELL = Standing(well_ms=1)


def told(standings: dict[tuple[str, str], Standing], served: Gateways) -> tuple[Failing, ...]:
    return traffic.failing(Evidence(standings=standings), served, now_ms=NOW_MS)


@pytest.mark.parametrize(
    ("failure", "where", "words"),
    [
        (Failure.CREDENTIAL_REJECTED, {}, ("answers 401", "Secret `p/key`")),
        (Failure.CREDENTIAL_REJECTED, {"credential": "p/key/x-api-key"}, ("Secret `p/key`",)),
        (Failure.CREDENTIAL_REJECTED, {"credential": ""}, ("give the endpoint a `credential`",)),
        (Failure.NOT_FOUND, {"base_path": ""}, ("`https://api.example`", "lack `/v1`?")),
        (Failure.NOT_FOUND, {"base_path": "/openai/v1"}, ("no model `wire-m` at `https://api.example/openai/v1`",)),
        (Failure.REDIRECTED, {"tls": False, "port": 80}, ("`http://api.example/v1`",)),
        (Failure.UNRESOLVABLE, {}, ("`api.example` leads to no address",)),
        (Failure.CONNECTION_FAILED, {"host": "::1", "port": 8000}, ("`https://[::1]:8000/v1`",)),
    ],
)
def test_a_message_names_what_to_look_at(failure: Failure, where: dict[str, Any], words: tuple[str, ...]) -> None:
    said = traffic.message(target("p/e/m", **where), failure, status=401)
    assert all(word in said for word in words), said


def test_a_deployment_is_called_one() -> None:
    lost = replace(target("p/e/m", base_path="/openai"), protocol=Protocol.AZURE_OPENAI)
    said = traffic.message(lost, Failure.NOT_FOUND, status=404)
    assert "no deployment `wire-m` at `https://api.example/openai`" in said
    assert "apiVersion" in said


def test_who_may_not_ask_bedrock_is_told_where_that_is_said() -> None:
    signed = replace(
        target("p/e/m", base_path=""), protocol=Protocol.BEDROCK, aws_region="us-east-1", credential="aws/credentials"
    )
    assert "check Secret `aws/credentials`" in traffic.message(signed, Failure.CREDENTIAL_REJECTED, status=403)
    given = replace(signed, credential="")
    assert "the role of its service account" in traffic.message(given, Failure.CREDENTIAL_REJECTED, status=403)
    assert "no model `wire-m` there" in traffic.message(signed, Failure.NOT_FOUND, status=404)


@pytest.mark.parametrize("failure", Failure)
def test_every_failure_has_words(failure: Failure) -> None:
    said = traffic.message(target("p/e/m"), failure, status=0)
    assert not said.endswith(".")
    assert "{" not in said


def test_an_endpoint_fails_as_a_whole_where_nothing_of_it_is_well() -> None:
    served = gateways(target("p/e/a"), target("p/e/b"), target("p/e/c"), regions=("eu", "us"))
    standings = {("eu", "p/e/a"): failed(401, since_ms=7), ("us", "p/e/b"): failed(401, since_ms=5)}
    (one,) = told(standings, served)
    assert (one.subject, one.targets, one.since_ms) == ("p/e", ("p/e/a", "p/e/b"), 5)
    assert one.regions == ("eu", "us")
    assert one.whole


def test_one_model_that_fails_is_not_its_endpoint_s_failure() -> None:
    served = gateways(target("p/e/a"), target("p/e/b"))
    standings = {("eu", "p/e/a"): failed(404), ("eu", "p/e/b"): WELL}
    assert [one.subject for one in told(standings, served)] == ["p/e/a"]


def test_news_are_what_began_and_what_ended() -> None:
    served = gateways(target("p/e/a"), target("q/e/a"))
    before = told({("eu", "p/e/a"): failed(401), ("eu", "q/e/a"): failed(503)}, served)
    now = told({("eu", "p/e/a"): failed(404), ("eu", "q/e/a"): WELL}, served)
    began, ended = traffic.news(before, now)
    assert [(one.subject, one.failure) for one in began] == [("p/e", Failure.NOT_FOUND)]
    assert [one.subject for one in ended] == ["q/e"], "failing in another way is no recovery"
    assert traffic.news(now, now) == ((), ())


def test_a_target_whose_whole_endpoint_fails_by_now_has_not_recovered() -> None:
    served = gateways(target("p/e/a"), target("p/e/b"))
    part = told({("eu", "p/e/a"): WELL, ("eu", "p/e/b"): failed(503)}, served)
    whole = told({("eu", "p/e/a"): failed(503), ("eu", "p/e/b"): failed(503)}, served)
    began, ended = traffic.news(part, whole)
    assert ([one.subject for one in began], ended) == (["p/e"], ())
    began, ended = traffic.news(whole, part)
    assert ([one.subject for one in began], [one.subject for one in ended]) == (["p/e/b"], ["p/e"])


def test_an_identity_is_the_address_and_the_credential_and_shows_neither_value() -> None:
    served = gateways(target("p/e/a"))
    one, other = (traffic.identities(served, {"p/key": digest}) for digest in ("1", "2"))
    assert one != other
    assert traffic.identities(gateways(target("p/e/a", host="b.example")), {"p/key": "1"}) != one


@pytest.mark.parametrize("failure", Failure)
def test_every_failure_is_a_reason_that_a_condition_may_have(failure: Failure) -> None:
    assert Reason[failure.name].value == failure.value
    assert Reason[failure.name] in REASONS[ConditionType.READY, ConditionStatus.FALSE]
