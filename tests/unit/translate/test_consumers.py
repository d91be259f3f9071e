from typing import Any

import pytest

import builders
from builders import HOME, decoded, references, said, secret
from fairlead.api.consumer import ModelConsumer
from fairlead.api.meta import ObjectKey
from fairlead.translate.consumers import Consumer, KeyBinding, bindings, consumer
from fairlead.translate.diagnostics import Diagnostics, Resolved, Served
from fairlead.translate.references import References, SecretRef, Secrets


def run(written: dict[str, Any], **around: Any) -> tuple[Consumer | None, Diagnostics]:
    diagnostics = Diagnostics()
    found: ModelConsumer = decoded(written)
    return consumer(found, references(**around), diagnostics), diagnostics


def keyed(*names: str) -> list[dict[str, str]]:
    return [{"secretName": name} for name in names]


def test_a_consumer_carries_what_decides_what_it_may() -> None:
    found, diagnostics = run(
        builders.consumer(
            "agent",
            labels={"tier": "pro"},
            allowedModelNames=["qwen/*", "chat"],
            expiresAt="2026-12-31T23:59:59Z",
        ),
        secrets=Secrets({secret("agent"): "1"}),
    )
    assert found is not None
    assert str(found.caller) == "team-web/agent"
    assert found.caller.labels == {"tier": "pro"}
    assert found.keys == ((0, secret("agent")),)
    assert found.allowed_model_names == ("chat", "qwen/*")
    assert found.expires_at == 1798761599
    assert said(diagnostics) == []


@pytest.mark.parametrize(
    ("written", "around", "keys", "expected", "reason"),
    [
        (
            builders.consumer("a", keys=keyed("gone", "a")),
            {"secrets": Secrets({secret("a"): "1"})},
            [1],
            [
                (
                    "SecretNotFound spec.keys[0].secretName: got `gone`, want a Secret of namespace `team-web` with the"
                    " key `apiKey`, create it, or this key opens nothing"
                ),
            ],
            "the other key still opens",
        ),
        (
            builders.consumer("a", keys=[{"secretName": "a", "key": "apikey"}]),
            {"secrets": Secrets({secret("a"): "1"})},
            [],
            [
                (
                    "SecretNotFound spec.keys[0].key: got `apikey`, want a key of Secret `a` (`apiKey`), did you mean"
                    " `apiKey`, or this key opens nothing"
                ),
            ],
            "the Secret is there, its key is not",
        ),
        (
            builders.consumer("a"),
            {"secrets": Secrets({}, [secret("a")])},
            [],
            [
                (
                    "SecretNotReadable spec.keys[0].secretName: got `a`, which may not be read, want namespace"
                    " `team-web` to agree, run `kubectl -n team-web create rolebinding fairlead-consumer-keys"
                    " --clusterrole=fairlead-consumer-keys --serviceaccount=fairlead:fairlead`"
                ),
            ],
            "the namespace has not agreed",
        ),
        (
            builders.consumer("a", namespace=HOME),
            {"secrets": Secrets({secret("a", namespace=HOME): "1"})},
            [0],
            [],
            "with files a consumer may live beside the providers",
        ),
        (
            builders.consumer("anonymous", namespace=HOME),
            {"anonymous": "anonymous", "home_secrets_readable": False},
            [],
            ["spec.keys: not read: this consumer stands for callers without a key"],
            "on Kubernetes the anonymous consumer has no keys",
        ),
    ],
)
def test_keys(
    written: dict[str, Any], around: dict[str, Any], keys: list[int], expected: list[str], reason: str
) -> None:
    found, diagnostics = run(written, **around)
    assert found is not None, reason
    assert [position for position, _ in found.keys] == keys, reason
    assert said(diagnostics) == expected, reason


@pytest.mark.parametrize("name", ["agent", "anonymous"])
def test_on_kubernetes_no_consumer_lives_beside_the_providers(name: str) -> None:
    found, diagnostics = run(builders.consumer(name, namespace=HOME), home_secrets_readable=False)
    assert found is None
    assert said(diagnostics) == [
        (
            "NamespaceNotAllowed metadata.namespace: got `fairlead`, want a namespace of a team: no Secret is read in"
            " the installation's namespace, move the consumer"
        )
    ]


def resolved(one: dict[str, Any], around: References, served: Served = Served.CURRENT) -> Resolved[Consumer]:
    diagnostics = Diagnostics()
    return Resolved(
        key=ObjectKey("ModelConsumer", one["metadata"]["namespace"], one["metadata"]["name"]),
        generation=None,
        served=served,
        value=consumer(decoded(one), around, diagnostics),
        problems=(),
        diagnostics=diagnostics,
        known=False,
    )


def test_a_key_that_two_hold_opens_neither_and_others_still_open() -> None:
    around = references(
        secrets=Secrets({secret("a"): "same", secret("own"): "own", SecretRef("team-x", "b", "apiKey"): "same"})
    )
    both = [
        resolved(builders.consumer("a", keys=keyed("a", "own")), around),
        resolved(builders.consumer("b", namespace="team-x"), around),
    ]
    assert bindings(both, around) == (KeyBinding(consumer="team-web/a", ref=secret("own")),)
    for one, other in zip(both, ("team-x/b", "team-web/a"), strict=True):
        assert said(one.diagnostics) == [
            (
                f"DuplicateKey spec.keys[0]: got a key that consumer `{other}` holds too, want a key of its own, make a"
                " new one: this one opens neither"
            )
        ]


def test_one_consumer_with_one_key_twice_is_told_and_served() -> None:
    around = references(secrets=Secrets({secret("a"): "same", secret("b"): "same"}))
    one = resolved(builders.consumer("a", keys=keyed("a", "b")), around)
    assert bindings([one], around) == (KeyBinding(consumer="team-web/a", ref=secret("a")),)
    assert said(one.diagnostics) == ["spec.keys[1]: got the same key once more, want each once"]


def test_what_is_not_served_takes_no_key_from_others() -> None:
    around = references(secrets=Secrets({secret("a"): "same", secret("b"): "same"}))
    both = [
        resolved(builders.consumer("a"), around),
        resolved(builders.consumer("b"), around, served=Served.NOTHING),
    ]
    assert bindings(both, around) == (KeyBinding(consumer="team-web/a", ref=secret("a")),)


def test_a_key_that_no_client_can_send_is_said_and_the_other_still_opens() -> None:
    ref = secret("bad")
    found, diagnostics = run(
        builders.consumer("a", keys=keyed("bad", "a")),
        secrets=Secrets({secret("a"): "1"}, unusable={ref: "got the character U+0020"}),
    )
    assert found is not None
    assert [position for position, _ in found.keys] == [1]
    assert said(diagnostics) == [
        (
            "KeyNotUsable spec.keys[0]: got the character U+0020 in Secret `bad`, want at most 4096 visible ASCII"
            " characters, which is what a client can send, make a new key: this one opens nothing"
        )
    ]
