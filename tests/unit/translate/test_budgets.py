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
