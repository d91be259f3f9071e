"""LiteLLM says the requests and answers of conversations as the gateway does, but for what a table explains."""

import json
import subprocess
from typing import Any

import pytest

import chat_lua
import messages_lua
from clients import differences
from clients.reader import PACKAGES, QUIET, SNIPPET_S

CASES = list(differences.cases())
SAYS = {
    ("chat", "request"): chat_lua.words,
    ("messages", "request"): messages_lua.words,
    ("chat", "answer"): lambda body: (chat_lua.completion(body), ""),
    ("messages", "answer"): lambda body: (messages_lua.message(body), ""),
}


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    folder = tmp_path_factory.mktemp("differences")
    asked, said = folder / "asked.json", folder / "said.json"
    asked.write_text(json.dumps([(api, kind, body) for api, kind, _, body in CASES]))
    program = differences.FILE.with_name("differ.py")
    words = [str(PACKAGES / "bin" / "python"), "-W", "ignore", str(program), str(asked), str(said)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=SNIPPET_S, env=QUIET)
    assert done.returncode == 0, done.stderr
    return json.loads(said.read_text())


def test_every_difference_is_explained(theirs: list[Any]) -> None:
    found: dict[tuple[str, ...], str] = {}
    for (api, kind, name, body), other in zip(CASES, theirs, strict=True):
        ours, rest = SAYS[api, kind](body)
        both = [(rest, "refused")] if ours is None else differences.between(*map(differences.plain, (ours, other)))
        for where, how in both:
            if where not in {"model", "created"}:
                found.setdefault((api, kind, where, how), f"{name}: {ours} / {other}"[:600])
    explained = {(one["api"], one["kind"], one["where"], one["how"]) for one in differences.known()}
    unexplained = {key: text for key, text in found.items() if key not in explained}
    assert unexplained == {}
    assert explained - set(found) == set(), "no difference any more"
