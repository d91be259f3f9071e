"""The table of docs/translation.md is what the file of conversations says, in the words of the other pages."""

import pytest
from clients import conversations, differences
from clients.conversations import Conversation

import chat_cases
import converse_cases
import converse_chat_cases
import messages_cases
from documents import ROOT

PAGE = ROOT / "docs" / "translation.md"
CASES = {
    "chat": (*chat_cases.CASES, *converse_chat_cases.CASES),
    "messages": (*messages_cases.CASES, *converse_cases.CASES),
}


def test_the_page_has_the_table() -> None:
    text = PAGE.read_text().partition("<!-- conversations -->\n")[2]
    assert text.partition("\n\n")[0].splitlines() == conversations.table()


def test_the_page_has_the_table_of_differences() -> None:
    text = PAGE.read_text().partition("<!-- differences -->\n")[2]
    assert text.rstrip("\n").splitlines()[: len(differences.table())] == differences.table()


def test_there_are_forty() -> None:
    assert len(conversations.conversations()) == 40


@pytest.mark.parametrize("one", conversations.conversations(), ids=lambda one: f"{one.api}: {one.name}")
def test_what_is_refused_or_left_out_is_named_as_the_pages_have_it(one: Conversation) -> None:
    cases = CASES[one.api]
    assert set(one.refused.values()) <= {case.refused for case in cases}
    hints = {hint for column in one.columns() for hint in one.hints(column)}
    assert hints <= {case.left_out for case in cases}
