from dataclasses import replace

import pytest

from fairlead.adapters.models_list import Listing, Outcome
from fairlead.standalone import listings, sought
from fairlead.standalone.starter import Source, sources


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("https://api.example.com/v1", None),
        ("https://api.example.com/v1/", None),
        ("https://api.example.com/openai/v1beta/", None),
        ("https://api.example.com", "https://api.example.com/v1"),
        ("https://api.example.com/openai", "https://api.example.com/openai/v1"),
        ("https://api.example.com/v1/chat/completions", "https://api.example.com/v1"),
        ("https://api.example.com/chat/completions/", "https://api.example.com/v1"),
        ("https://api.example.com/v1/models", "https://api.example.com/v1"),
        ("https://v1.example.com", "https://v1.example.com/v1"),
        ("api.example.com", "https://api.example.com/v1"),
        ("127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"),
        ("localhost:8000/v1/models", "http://localhost:8000/v1"),
        ("[::1]:8000/v1", "http://[::1]:8000/v1"),
        ("gpu-box:8000", "http://gpu-box:8000/v1"),
        (" https://api.example.com/v1\n", "https://api.example.com/v1"),
        ("https://me:secret@api.example.com/v1", "https://api.example.com/v1"),
        ("https://api.example.com/v1?api-version=3", "https://api.example.com/v1"),
        ("https://api.example.com/v1/chat/completions#top", "https://api.example.com/v1"),
        ("https://api.example.com:99999/v1", None),
        ("https://[::1/v1", None),
        ("ftp://api.example.com/v1", None),
        ("https://api example.com/v1", None),
        ("https://", None),
        ("/v1", None),
    ],
)
def test_a_base_url_is_mended_where_it_is_odd(written: str, meant: str | None) -> None:
    assert listings.better(written) == meant


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_says_what_came_and_what_to_do(outcome: Outcome) -> None:
    source = Source(
        name="openai", base_url="https://api.example.com", variable="OPENAI_API_KEY", located_by="OPENAI_BASE_URL"
    )
    said = sought.problem(source, Listing(outcome=outcome, status=200))
    assert said.startswith("openai: https://api.example.com/models ")
    assert ", want " in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome.KEY_REFUSED, "answered 401, want a key that it accepts, correct OPENAI_API_KEY"),
        (Outcome.NOT_THERE, "write `OPENAI_BASE_URL=https://api.example.com/v1`"),
        (Outcome.UNREACHABLE, "cannot be reached: refused"),
    ],
)
def test_what_was_named_and_fails_is_told(outcome: Outcome, words: str) -> None:
    source = Source(
        name="openai", base_url="https://api.example.com", variable="OPENAI_API_KEY", located_by="OPENAI_BASE_URL"
    )
    assert words in sought.problem(source, Listing(outcome=outcome, status=401, detail="refused"))


ELSEWHERE = Source(name="openai", base_url="https://api.example.com/v1", variable="KEY", located_by="OPENAI_BASE_URL")


@pytest.mark.parametrize("name", ["openai", "anthropic", "openrouter"])
@pytest.mark.parametrize("outcome", Outcome)
def test_a_usual_place_is_no_variable_to_correct(name: str, outcome: Outcome) -> None:
    keys = {f"{one}_API_KEY": "k" for one in ("OPENAI", "ANTHROPIC", "OPENROUTER")}
    (source,) = [one for one in sources(keys) if one.name == name]
    said = sought.problem(source, Listing(outcome=outcome, status=500))
    assert ", want " in said
    assert "BASE_URL" not in said


@pytest.mark.parametrize("name", ["openai", "anthropic"])
def test_the_variable_that_is_named_is_the_one_that_says_where(name: str) -> None:
    at = "https://llm.example.com/v1"
    named = {f"{one}_{what}": at for one in ("OPENAI", "ANTHROPIC") for what in ("API_KEY", "BASE_URL")}
    (source,) = [one for one in sources(named) if one.name == name]
    said = sought.problem(source, Listing(outcome=Outcome.UNREACHABLE))
    assert f"check `{name.upper()}_BASE_URL`" in said


@pytest.mark.parametrize(
    "key", ["", " ", "two\nlines", "a\tb", "schl\u00fcssel", "Bearer sk-1", " sk-1", "sk-1 ", "\udcff", "nul\0"]
)
def test_what_is_no_key_is_asked_of_nobody(key: str) -> None:
    assert "KEY: got a blank, a line break" in sought.unaskable(ELSEWHERE, {"KEY": key})


@pytest.mark.parametrize("key", ["sk-1", "sk-1\n", "sk-1\r\n"])
def test_the_line_break_that_tools_leave_is_no_part_of_a_key(key: str) -> None:
    assert sought.unaskable(ELSEWHERE, {"KEY": key}) == ""


def test_what_is_only_looked_for_may_be_missing() -> None:
    source = Source(name="vllm", base_url="http://127.0.0.1:8000/v1", sought=True)
    assert sought.problem(source, Listing(outcome=Outcome.UNREACHABLE)) == ""
    assert sought.problem(source, Listing(outcome=Outcome.NO_LIST, status=200)) == ""
    assert "wants a key" in sought.problem(source, Listing(outcome=Outcome.KEY_REFUSED, status=401))


def test_a_base_url_that_leads_back_is_told() -> None:
    source = replace(ELSEWHERE, base_url="http://localhost:8101/v1")
    assert "unset OPENAI_BASE_URL" in sought.problem(source, Listing(outcome=Outcome.UNREACHABLE))
