import pytest

from fairlead.matching.confusion import FAILED, NOT_ASKED, Confusion, Labelled, labelled

PAIRS = [
    *[("code", "code")] * 8,
    *[("code", "simple")],
    *[("code", "none")],
    *[("simple", "simple")] * 3,
    ("simple", NOT_ASKED),
    ("simple", FAILED),
]


def test_accuracy_is_of_all_texts() -> None:
    found = Confusion.of(PAIRS)
    assert (found.right, found.total, round(found.accuracy, 4)) == (11, 15, 0.7333)
    assert Confusion.of([]).accuracy == 0


def test_the_table_says_what_was_taken_for_what() -> None:
    assert Confusion.of(PAIRS).lines() == [
        "accuracy 73.3% (11 of 15)",
        "",
        "is \\ said  code  simple  none  (not asked)  (failed)",
        "code          8       1     1            0         0",
        "simple        0       3     0            1         1",
    ]


def test_a_category_that_nobody_named_has_a_column() -> None:
    assert Confusion.of([("code", "none")]).document() == {
        "accuracy": 0.0,
        "right": 0,
        "total": 1,
        "confusion": {"code": {"code": 0, "none": 1}},
    }


def test_lines_are_read() -> None:
    lines = [b'{"text": "a", "category": "code"}\n', b"\n", b'{"category": "simple", "text": "b"}']
    assert labelled(lines) == (Labelled(text="a", category="code"), Labelled(text="b", category="simple"))


@pytest.mark.parametrize(
    "line", [b"{", b"[]", b'{"text": "a"}', b'{"text": "a", "category": 1}', b'{"text": "", "category": "a"}', b"\xff"]
)
def test_a_line_that_is_none_is_named(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"^line 2: got .*, want .*, correct it$"):
        labelled([b"\n", line])
