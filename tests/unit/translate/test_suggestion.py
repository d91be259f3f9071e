import pytest

from fairlead.translate.suggestion import listed, meant


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], ""),
        (["b", "a"], "`a`, `b`"),
        ([f"m{i}" for i in range(6)], "`m0`, `m1`, `m2`, `m3`, `m4`, `m5`"),
        ([f"m{i}" for i in range(9)], "`m0`, `m1`, `m2`, `m3`, `m4`, `m5` and 3 more"),
    ],
)
def test_listed(names: list[str], expected: str) -> None:
    assert listed(names) == expected


@pytest.mark.parametrize(
    ("got", "names", "expected", "reason"),
    [
        ("smal", ["large", "small"], ", did you mean `small`", "a letter is missing"),
        ("SMALL", ["small"], ", did you mean `small`", "case is the mistake"),
        ("zebra", ["small"], "", "nothing is near"),
        ("x", [], "", "there is nothing"),
        ("GPT-4o", ["gpt-4o", "Gpt-4o"], ", did you mean `Gpt-4o`", "the same answer every time"),
    ],
)
def test_meant(got: str, names: list[str], expected: str, reason: str) -> None:
    assert meant(got, names) == expected, reason
    assert meant(got, list(reversed(names))) == expected, reason
