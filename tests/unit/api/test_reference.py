import re

import pytest

from fairlead.api.reference import pages

PAGES = {name: content.decode() for name, content in pages().items()}


def test_there_is_a_page_for_everything_that_can_be_written() -> None:
    assert set(PAGES) == {
        "README.md",
        "modelprovider.md",
        "modelroute.md",
        "modelconsumer.md",
        "budgetpolicy.md",
        "installation.md",
        "conditions.md",
    }


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name: str) -> None:
    anchors = {line.lstrip("# ").lower() for line in PAGES[name].splitlines() if line.startswith("#")}
    for target in re.findall(r"\]\(([^)]+)\)", PAGES[name]):
        page, _, anchor = target.partition("#")
        assert page in {"", *PAGES}
        assert not anchor or anchor in anchors


@pytest.mark.parametrize("name", PAGES)
def test_every_row_of_a_table_has_its_columns(name: str) -> None:
    width = 0
    for line in PAGES[name].splitlines():
        columns = len(re.findall(r"(?<!\\)\|", line))
        assert columns in {0, width} or width == 0
        width = columns


def test_the_contents_name_every_page() -> None:
    assert set(re.findall(r"\((\w+\.md)\)", PAGES["README.md"])) == set(PAGES) - {"README.md"}
