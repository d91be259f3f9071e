import pytest

from builders import said
from fairlead.api.selector import Consumers
from fairlead.translate.diagnostics import Diagnostics, Standing
from fairlead.translate.known_names import KnownNames

WRITTEN = KnownNames(routes=["team/chat", "team/cheap", "other/free"], consumers=["team/agent"])


@pytest.mark.parametrize(
    ("namespace", "name", "expected", "reason"),
    [
        ("team", "chat", [], "it is there"),
        (
            "team",
            "chta",
            [
                (
                    "RouteNotFound spec.x: got `chta`, want a ModelRoute of namespace `team` (`chat`, `cheap`), did you"
                    " mean `chat`"
                )
            ],
            "a typing error",
        ),
        (
            "team",
            "free",
            ["RouteNotFound spec.x: got `free`, want a ModelRoute of namespace `team` (`chat`, `cheap`)"],
            "only another namespace has it, which is not told",
        ),
        ("empty", "x", ["RouteNotFound spec.x: got `x`, want a ModelRoute of namespace `empty`, create it"], "none"),
    ],
)
def test_check_route(namespace: str, name: str, expected: list[str], reason: str) -> None:
    diagnostics = Diagnostics()
    assert WRITTEN.check_route(namespace, name, "spec.x", diagnostics) is (not expected)
    assert said(diagnostics) == expected, reason
    assert diagnostics.standing is Standing.WHOLE, "what it names may come later"


def test_check_consumers_names_each_that_is_missing() -> None:
    diagnostics = Diagnostics()
    WRITTEN.check_consumers("team", Consumers(names=("agent", "agnet")), diagnostics)
    WRITTEN.check_consumers("empty", Consumers(names=("x",)), diagnostics)
    WRITTEN.check_consumers("team", Consumers(), diagnostics)
    assert said(diagnostics) == [
        (
            "ConsumerNotFound spec.consumers.names[1]: got `agnet`, want a ModelConsumer of namespace `team` (`agent`),"
            " did you mean `agent`"
        ),
        "ConsumerNotFound spec.consumers.names[0]: got `x`, want a ModelConsumer of namespace `empty`, create it",
    ]
