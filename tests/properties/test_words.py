"""Names of models as words: nothing is lost, nothing meets, nothing separates."""

import re

from hypothesis import example, given
from hypothesis import strategies as st

from fairlead.envoy import directory, names
from fairlead.ir import word

anything = st.text() | st.text(alphabet='ab%20 -~*!|,"\\é') | st.text(alphabet=st.characters(categories=("Cs", "Cc")))


@given(name=anything)
@example(name="a%20b")
@example(name="-")
@example(name="\ud800")
def test_a_word_is_read_back_as_the_name(name: str) -> None:
    assert word.decode(word.encode(name)) == name


@given(one=anything, other=anything)
@example(one="a b", other="a%20b")
@example(one="a.b", other="a~b")
def test_two_names_have_two_words_and_two_clusters(one: str, other: str) -> None:
    assert (word.encode(one) == word.encode(other)) == (one == other)
    assert (names.cluster(word.encode(one)) == names.cluster(word.encode(other))) == (one == other)


@given(name=anything)
def test_a_word_holds_nothing_that_ends_a_field(name: str) -> None:
    made = word.encode(name)
    assert re.fullmatch(r"[A-Za-z0-9._:/@+%-]*", made)
    assert not directory.FORBIDDEN.intersection(made)
    assert made not in (directory.ABSENT, directory.ALL, directory.NO_NAMES, names.ANY_MODEL)


@given(prefix=anything, rest=anything)
@example(prefix="-", rest="x")
def test_a_prefix_covers_the_words_of_the_names_that_it_covers(prefix: str, rest: str) -> None:
    assert word.encode(prefix + rest).startswith(word.encode(prefix))


@given(prefix=anything, name=anything)
@example(prefix="a%2", name="a b")
def test_a_prefix_covers_no_other_words(prefix: str, name: str) -> None:
    if word.encode(name).startswith(word.encode(prefix)):
        assert name.encode("utf-8", "surrogatepass").startswith(prefix.encode("utf-8", "surrogatepass"))


@given(name=st.from_regex(r"[A-Za-z0-9._:/@+][A-Za-z0-9._:/@+-]*", fullmatch=True))
def test_most_names_are_their_own_words(name: str) -> None:
    assert word.encode(name) == name


def test_a_star_at_the_end_of_a_pattern_stays() -> None:
    assert word.encode_pattern("a b*") == "a%20b*"
    assert word.encode_pattern("*") == "*"
    assert word.encode_pattern("a b") == "a%20b"
