import pytest

from fairlead.ir.fold import fold, pairs


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("SQL", "sql"),
        ("GRÖßE", "größe"),
        ("ПРИВЕТ", "привет"),
        ("\u03a3\u039f\u03a6\u0399\u0391", "\u03c3\u03bf\u03c6\u03b9\u03b1"),
        ("\u03c2", "\u03c3"),
        ("İ", "İ"),
        ("ẞ", "ẞ"),
        ("日本", "日本"),
    ],
)
def test_case_folds_for_ascii_and_letters_of_two_bytes(text: str, wanted: str) -> None:
    assert fold(text) == wanted


def test_a_text_keeps_its_length_and_folds_once() -> None:
    for letter, other in pairs().items():
        assert len(letter.encode()) == len(other.encode()) == 2
        assert fold(other) == other
