"""`decode` and the CRDs agree on manifests that nobody thought of: well-formed ones, changed in one to three places."""

from pathlib import Path
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from crd.apiserver import refusals
from crd.generated import SCHEMAS
from examples import times
from fairlead.api.decode import decode

HERE = Path(__file__).resolve().parent
VALID = [m for path in sorted((HERE / "valid").glob("*.yaml")) for m in yaml.safe_load_all(path.read_text())]

# What `decode` alone can say; tests/crd/invalid has a manifest and the reason for each.
DECODE_ONLY = (
    "got a model that the catalogue lacks",
    "got a price of tokens without one for output",
    "got a price of long prompts below",
    "got other kinds of prices than the catalogue has",
    "got a name that no deployment of Azure's has",
    "got a host that names no region of AWS",
    "got another region than the host's",
    "got a path, want the host of Bedrock's runtime alone",
    "got a name that no model of Bedrock's has",
)

_WORDS = """
a A m chat All Same Selector In Exists Any Chat Embedding Day None * qwen/* x/y 0s 1ms 2s 10m 99999h 5 0% 1%
Image Audio Rerank Moderation
5% 5.0% 100% 101% 7.555% 0 0.5 1 1.0 -1 1e3 UTC Europe/Berlin Mars/Base 2026-01-01T00:00:00Z 2026-01-01 Host
api-key - AzureOpenAI Gemini Bedrock us-east-1 Anthropic OpenAI 2024-10-21 2024-08-01-preview
https://a.example.com/v1 http://a.example.com http://a.b.svc/v1 http://[::1]:1
"""
WORDS = st.sampled_from(["", *_WORDS.split()])
VALUES = st.one_of(
    WORDS,
    st.integers(-1, 101),
    st.booleans(),
    st.none(),
    st.just({}),
    st.just([]),
    st.lists(WORDS, max_size=3),
    st.dictionaries(st.sampled_from(["a", "name", "from", "matchLabels", "at"]), WORDS, max_size=2),
)


def _places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place, *(inner for key, part in parts for inner in _places(part, (*place, key)))]


def _changed(value: Any, place: tuple[Any, ...], change: str, new: Any) -> Any:
    """Return a copy in which the value at the place is replaced, taken away, or written a second time (in a list)."""
    if not place:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    if len(place) > 1:
        copy[place[0]] = _changed(copy[place[0]], place[1:], change, new)
    elif change == "remove":
        del copy[place[0]]
    elif change == "repeat" and isinstance(copy, list):
        copy.append(copy[place[0]])
    elif change == "add" and isinstance(copy, dict):
        copy[new if isinstance(new, str) and new else "extra"] = new
    else:
        copy[place[0]] = new
    return copy


@times(8)
@given(st.data())
def test_what_one_side_takes_the_other_takes(data: st.DataObject) -> None:
    manifest = data.draw(st.sampled_from(VALID))
    spec = manifest["spec"]
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(_places(spec)[1:] or [("extra",)]))
        change = data.draw(st.sampled_from(["replace", "remove", "repeat", "add"]))
        if place == ("extra",):
            continue
        spec = _changed(spec, place, change, data.draw(VALUES))
    changed = {**manifest, "spec": spec}
    problems = [
        str(problem)
        for problem in decode(changed, default_namespace="fairlead").problems
        if not any(text in problem.message and "endpoints" in problem.path for text in DECODE_ONLY)
    ]
    refused = refusals(SCHEMAS[manifest["kind"]], changed)
    assert bool(problems) == bool(refused), (problems, refused)
