"""Streams cut at a byte, in two pieces or for good, as the official packages for JavaScript read them."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from app_gateway import KEY
from cutting import GIVEN, PAIRS, TEXT, USES, CutProvider, Pair, breaks, cut_gateway, pieces
from running import Gateway
from scripted import Script

from clients.reader import PACKAGES, SNIPPET_S

PROGRAM = Path(__file__).with_name("cuts.mjs")
STEP = 37
CALLS = [[id_, name, json.loads(GIVEN)] for _, id_, name in USES]
REASONS = {"chat": "tool_calls", "messages": "tool_use"}


@pytest.fixture(scope="module")
def everybody() -> Iterator[tuple[Gateway, dict[str, CutProvider]]]:
    (PACKAGES / PROGRAM.name).write_text(PROGRAM.read_text())  # node looks for packages beside it
    with cut_gateway() as made:
        yield made


def read(everybody: tuple[Gateway, dict[str, CutProvider]], pair: Pair, scripts: list[Script]) -> list[Any]:
    running, providers = everybody
    providers[pair.api].scripts = iter(scripts)
    words = ["node", str(PACKAGES / PROGRAM.name), f"http://127.0.0.1:{running.port}", KEY, pair.api, str(len(scripts))]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=SNIPPET_S)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.removesuffix("\n").split("\n")]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.api)
def test_a_stream_that_comes_in_two_pieces_is_whole(
    everybody: tuple[Gateway, dict[str, CutProvider]], pair: Pair
) -> None:
    scripts = pieces(pair, STEP)
    assert read(everybody, pair, scripts) == [["".join(TEXT), CALLS, REASONS[pair.api]]] * len(scripts)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.api)
def test_a_stream_that_breaks_has_no_end(everybody: tuple[Gateway, dict[str, CutProvider]], pair: Pair) -> None:
    scripts = breaks(pair, 5 * STEP)
    found = read(everybody, pair, scripts)
    assert [one[0] for one in found] == ["lost"] * len(scripts)
