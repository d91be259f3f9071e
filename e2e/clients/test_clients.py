"""Every page of docs/clients does what it says, with the package that it is about."""

import pytest

from clients.reader import MODEL, Reader
from documents import PAGES, ROOT, Block, blocks

FOLDER = ROOT / "docs" / "clients"
FOUND = [block for page in PAGES if page.parent == FOLDER for block in blocks(page)]
RUN = [block for block in FOUND if block.by_clients]


@pytest.mark.parametrize("block", RUN, ids=lambda block: block.page.stem)
def test_a_page_is_answered_at_once_and_in_a_stream(reader: Reader, block: Block) -> None:
    control = reader.provider.control
    control.reset()
    printed = reader.run(block)
    print(f"\n--- {block} printed\n{printed}")
    seen = control.requests()
    assert [(one.model, one.status, one.stream) for one in seen] == [(MODEL, 200, False), (MODEL, 200, True)]
    assert not control.stats().problems, "the gateway sent what a real provider refuses"
    assert printed.count(f"us-east-1/{MODEL}") == len(seen), "not all of the answers"
    assert reader.way_out.asked == [], "it asks others than the gateway"


def test_every_page_is_run_or_says_why_not() -> None:
    told = {block.page.stem for block in FOUND if block.not_run}
    run = {block.page.stem for block in RUN}
    assert {page.stem for page in PAGES if page.parent == FOLDER} == {"README", *told, *run}
    assert told - run == {"cursor", "open-webui"}
