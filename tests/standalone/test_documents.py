"""Every block of the documentation does what it says, in its page's order, or a mark says why it is not run here."""

import re
from pathlib import Path

import pytest
from reader import Reader

from documents import PAGES, ROOT, Block, blocks

BLOCKS = {page: found for page in PAGES if (found := blocks(page))}
ALL = [block for found in BLOCKS.values() for block in found]
READ = [found for found in BLOCKS.values() if any(block.here for block in found)]


@pytest.mark.envoy
@pytest.mark.parametrize("page", READ, ids=lambda found: str(found[0].page.relative_to(ROOT)))
def test_a_page_does_what_it_says(page: list[Block], tmp_path: Path) -> None:
    with Reader(tmp_path, page) as reader:
        reader.read()


def test_a_reason_that_names_a_test_names_one_that_there_is() -> None:
    named = {(str(block), name) for block in ALL for name in re.findall(r"(?:tests|e2e)/[\w/]+\.py", block.not_run)}
    assert named
    assert [(block, name) for block, name in named if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize("comment", ["<!-- not-run: why -->", "<!-- run: somewhere -->", "<!-- not run: -->"])
def test_a_comment_that_is_no_mark_is_an_error(tmp_path: Path, comment: str) -> None:
    with pytest.raises(ValueError, match=r"page\.md:1: got"):
        blocks(_page(tmp_path, f"{comment}\n```sh\ntrue\n```\n"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("```sh\nfalse\ntrue\n```", "does not do what it says"),
        ("```sh\nfalse | true\n```", "does not do what it says"),
        ("<!-- goes on: listening -->\n```sh\necho other\n```", "does not do what it says"),
        ("```python\nassert False\n```", "does not do what it says"),
        ("```sh\ncurl -s http://127.0.0.1:9999/\n```", "does not do what it says"),
        ("```promql\nsum(\n```", "could not parse expression"),
        ("```sh\necho one\n```\n```\ntwo\n```", "nobody said 'two'"),
        ("```yaml\na: 1\n```", "nothing runs `yaml`"),
        ("```ruby\nputs 1\n```", "nothing runs `ruby`"),
    ],
)
def test_a_page_that_says_what_is_not_so_fails(tmp_path: Path, text: str, why: str) -> None:
    with Reader(tmp_path, blocks(_page(tmp_path, text))) as reader, pytest.raises(AssertionError, match=re.escape(why)):
        reader.read()


def test_a_page_is_read_in_order_in_one_shell(tmp_path: Path) -> None:
    text = """
```yaml
# folder/one.yaml
a: 1
```
```sh
cd folder
export WORD=said
```
<!-- not run: it would end the reader -->
```sh
exit 1
```
<!-- goes on: ready -->
```sh
echo ready 12
sleep 600
```
```sh
cat one.yaml
```
```
a:    4
ready 7
```
```python
import os
print(os.environ["WORD"])
```
```
said
```
"""
    with Reader(tmp_path, blocks(_page(tmp_path, text))) as reader:
        reader.read()


def _page(folder: Path, text: str) -> Path:
    path = folder / "page.md"
    path.write_text(text)
    return path
