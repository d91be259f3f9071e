"""Pages of the documentation as their fenced blocks: what each is, and whether, where and how it is run.

A comment right above a fence says how. Without one a block is run where the tests run.

| comment | the block |
|---|---|
| `<!-- not run: REASON -->` | is not run at all, and why |
| `<!-- run: cluster -->` | is run by the end-to-end tests, on a cluster |
| `<!-- run: clients -->` | is run by `make clients`, with the packages of other people that it is about |
| `<!-- goes on: WORDS -->` | serves until it is ended: the reader goes on as soon as it has said these words |

Any other comment there is an error, so that none is mistyped in vain. Mermaid is a drawing, and needs none.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
PLACES = {"cluster": "on_cluster", "clients": "by_clients"}
"""Where else a block may be run, by the word of its mark."""
MARK = re.compile(r"<!-- (not run|run|goes on): (.+) -->")


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    page: Path
    line: int
    """Of the opening fence, from 1."""
    language: str
    """The first word after the fence; empty for what a command says."""
    text: str
    not_run: str = ""
    """The reason; empty for a block that is run."""
    on_cluster: bool = False
    by_clients: bool = False
    """Whether it needs packages that `make clients` installs, and is run there."""
    goes_on: str = ""
    """The words after which the reader goes on; empty for a command that ends."""

    @property
    def here(self) -> bool:
        """Whether it is run where the tests run."""
        return not (self.not_run or self.on_cluster or self.by_clients)

    @property
    def file(self) -> str:
        """The name that the first line of a YAML block gives it, `# NAME`; empty if it gives none."""
        found = re.match(r"# (\S+\.ya?ml)\n", self.text) if self.language == "yaml" else None
        return found[1] if found else ""

    def __str__(self) -> str:
        return f"{_name(self.page)}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page in their order; raise `ValueError` for a comment that is no mark."""
    return list(_blocks(page, MarkdownIt("commonmark").parse(page.read_text())))


def _blocks(page: Path, tokens: list[Token]) -> Iterator[Block]:
    above = None
    for token in tokens:
        if token.type == "fence":
            assert token.map, "a fence knows its lines"
            language = token.info.partition(" ")[0]
            marked = _marked(page, above) if above else {"not_run": "a drawing"} if language == "mermaid" else {}
            yield Block(page, token.map[0] + 1, language, token.content, **marked)
        above = token if token.type == "html_block" else None


def _marked(page: Path, comment: Token) -> dict[str, Any]:
    assert comment.map, "a comment knows its lines"
    place = f"{_name(page)}:{comment.map[0] + 1}"
    found = MARK.fullmatch(comment.content.strip())
    if not found:
        raise ValueError(f"{place}: got {comment.content.strip()!r} above a block, want a mark of tests/documents.py")
    kind, words = found.groups()
    if kind == "run" and words not in PLACES:
        raise ValueError(f"{place}: got `run: {words}`, want `run: cluster` or `run: clients`")
    if kind == "run":
        return {PLACES[words]: True}
    return {kind.replace(" ", "_"): words}


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT) if page.is_relative_to(ROOT) else page)


def census() -> str:
    """Say how many blocks of all pages are run where, and why the others are not."""
    found = [block for page in PAGES for block in blocks(page)]
    reasons = Counter(re.sub(r" tests/\S+\.py", " another test", block.not_run) for block in found if block.not_run)
    here, cluster, clients = (sum(getattr(block, name) for block in found) for name in ("here", *PLACES.values()))
    others = "".join(f"\n{count:5} not run: {reason}" for reason, count in reasons.most_common())
    return (
        f"blocks of the documentation: {here} are run here, {cluster} on a cluster, {clients} by `make clients`{others}"
    )
