from typing import Any

import pytest

import builders
from builders import HOME, decoded, references, said
from fairlead.translate.budgets import budget
from fairlead.translate.diagnostics import Diagnostics
from fairlead.translate.known_names import KnownNames

WRITTEN = KnownNames(routes=["team-web/chat", "fairlead/shared"], consumers=["team-web/agent"])


@pytest.mark.parametrize(
    ("written", "accepted", "expected", "reason"),
    [
        (builders.budget("b"), True, [], "everybody of this namespace"),
        (builders.budget("b", routes=["chat"], consumers={"names": ["agent"]}), True, [], "both exist"),
        (
            builders.budget("b", routes=["chta"]),
            True,
            [
                (
                    "RouteNotFound spec.routes[0]: got `chta`, want a ModelRoute of namespace `team-web` (`chat`), did"
                    " you mean `chat`"
                )
            ],
            "a typing error",
        ),
        (
            builders.budget("b", routes=["fairlead/shared"]),
            True,
            [
                (
                    "RouteNotFound spec.routes[0]: got `fairlead/shared`, want the name of a route of namespace"
                    " `team-web`: only policies of namespace `fairlead` may name routes of others"
                )
            ],
            "another namespace's route",
        ),
        (
            builders.budget("b", namespace=HOME, routes=["team-web/chat", "shared"]),
            True,
            [],
            "the installation's namespace may name routes of others",
        ),
        (
            builders.budget("b", consumers={"namespaces": {"from": "All"}}),
            False,
            [
                (
                    "NamespaceNotAllowed spec.consumers.namespaces.from: got `All` in namespace `team-web`, want"
                    " `Same`: only objects of namespace `fairlead` may mean consumers of other namespaces"
                )
            ],
            "other teams' consumers",
        ),
        (
            builders.budget("b", namespace=HOME, consumers={"namespaces": {"from": "All"}, "names": ["x"]}),
            True,
            [],
            "a name may live in any namespace",
        ),
    ],
)
def test_budget(written: dict[str, Any], accepted: bool, expected: list[str], reason: str) -> None:
    diagnostics = Diagnostics()
    assert (budget(decoded(written), references(), WRITTEN, diagnostics) is not None) is accepted, reason
    assert said(diagnostics) == expected, reason


def _after(before: dict[str, Any], now: dict[str, Any]) -> tuple[bool, list[str]]:
    diagnostics = Diagnostics()
    made = budget(decoded(now), references(), WRITTEN, diagnostics, decoded(before))
    return made is not None, said(diagnostics)


IMMUTABLE = [
    ({"scope": "Shared"}, {}),
    ({}, {"scope": "Shared"}),
    ({"window": {"every": "1h"}}, {"window": {"every": "10h"}}),
    ({"window": {"every": "1h"}}, {}),
    ({}, {"window": {"calendar": "Month"}}),
    ({"window": {"calendar": "Month"}}, {"window": {"calendar": "Month", "timeZone": "Europe/Berlin"}}),
]


@pytest.mark.parametrize(("before", "now"), IMMUTABLE)
def test_an_edit_that_would_forget_what_is_spent_is_refused(before: dict[str, Any], now: dict[str, Any]) -> None:
    accepted, messages = _after(builders.budget("b", **before), builders.budget("b", **now))
    assert not accepted
    (message,) = messages
    assert message.startswith(("Immutable spec.scope: got `", "Immutable spec.window: got another window, want"))
    assert "of another name" in message


@pytest.mark.parametrize(
    "now",
    [
        {"limit": {"usd": "0"}},
        {"routes": ["chat"]},
        {"consumers": {"names": ["agent"]}},
        {"stages": [{"at": "50%", "action": "Notify"}]},
        {"scope": "PerConsumer"},
        {"window": {"every": "60m"}},
        {"window": {"every": "1h", "startingAt": "1970-01-01T00:00:00Z"}},
    ],
)
def test_every_other_edit_keeps_its_counters(now: dict[str, Any]) -> None:
    assert _after(
        builders.budget("b", window={"every": "1h"}), builders.budget("b", **{"window": {"every": "1h"}, **now})
    ) == (True, [])
