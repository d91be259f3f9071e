import pytest

from fairlead.envoy import protobuf


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0s"),
        (8000, "8s"),
        (250, "0.25s"),
        (1, "0.001s"),
        (60_000, "60s"),  # the zeros of the whole part stay
        (1050, "1.05s"),
    ],
)
def test_duration(milliseconds: int, text: str) -> None:
    assert protobuf.duration(milliseconds) == text


def test_packed_names_the_message() -> None:
    assert protobuf.packed("envoy.x.v3.Y", {"a": 1}) == {"@type": "type.googleapis.com/envoy.x.v3.Y", "a": 1}
