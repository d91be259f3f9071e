import pytest

from builders import said
from fairlead.api.selector import Consumers
from fairlead.translate.finding import Findings, Standing
from fairlead.translate.written import Written

WRITTEN = Written(routes=["team/chat", "team/cheap", "other/free"], consumers=["team/agent"])


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
    findings = Findings()
    assert WRITTEN.check_route(namespace, name, "spec.x", findings) is (not expected)
    assert said(findings) == expected, reason
    assert findings.standing is Standing.WHOLE, "what it names may come later"


def test_check_consumers_names_each_that_is_missing() -> None:
    findings = Findings()
    WRITTEN.check_consumers("team", Consumers(names=("agent", "agnet")), findings)
    WRITTEN.check_consumers("empty", Consumers(names=("x",)), findings)
    WRITTEN.check_consumers("team", Consumers(), findings)
    assert said(findings) == [
        (
            "ConsumerNotFound spec.consumers.names[1]: got `agnet`, want a ModelConsumer of namespace `team` (`agent`),"
            " did you mean `agent`"
        ),
        "ConsumerNotFound spec.consumers.names[0]: got `x`, want a ModelConsumer of namespace `empty`, create it",
    ]
