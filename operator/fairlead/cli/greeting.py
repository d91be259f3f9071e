"""What a newcomer reads: what is served where, how to ask, and where to go on. Pure."""

import json
import shlex
from collections.abc import Iterable, Iterator

from fairlead.api.validation import legible
from fairlead.standalone.starter import Starter
from fairlead.standalone.starter_files import KEY_ANYBODY_KNOWS

_NAMED = 3
HERE = ".fairlead"
"""The state folder that commands take by themselves."""


def served(starter: Starter) -> str:
    """Say how many models of whom there are: `87 models of openai, 3 of ollama`."""
    first, *others = (f"{one.models} {{}}of {one.source.name}" for one in starter.catalogues)
    word = "model " if starter.catalogues[0].models == 1 else "models "
    return ", ".join((first.format(word), *(other.format("") for other in others)))


def curl(base_url: str, starter: Starter, *, key: str = "") -> str:
    """Return a request that a shell can send; `key` is what it takes for one."""
    authorization = f' -H "authorization: Bearer {key}"' if key else ""
    path, limit = ("chat/completions", "") if starter.speaks_openai else ("messages", ' "max_tokens": 100,')
    question = '[{"role": "user", "content": "Who are you?"}]'
    # Names are a provider's to choose: none of them ends a literal of what people paste.
    body = shlex.quote(f'{{"model": {json.dumps(starter.example)},{limit} "messages": {question}}}')
    return f"curl {base_url}/{path}{authorization} -H 'content-type: application/json' \\\n  -d {body}"


def python(base_url: str, starter: Starter) -> str:
    """Return the same for the `openai` package, or for `anthropic` where nobody answers that one."""
    model = json.dumps(starter.example)
    if not starter.speaks_openai:
        return (
            "from anthropic import Anthropic\n"
            f'client = Anthropic(base_url="{base_url.removesuffix("/v1")}", api_key="{KEY_ANYBODY_KNOWS}")\n'
            'question = [{"role": "user", "content": "Who are you?"}]\n'
            f"print(client.messages.create(model={model}, max_tokens=100, messages=question).content[0].text)"
        )
    return (
        "from openai import OpenAI\n"
        f'client = OpenAI(base_url="{base_url}", api_key="{KEY_ANYBODY_KNOWS}")\n'
        'question = [{"role": "user", "content": "Who are you?"}]\n'
        f"print(client.chat.completions.create(model={model}, messages=question).choices[0].message.content)"
    )


def of_prices(starter: Starter) -> Iterator[str]:
    """Say which prices count, and which models have none."""
    if starter.prices is None:
        yield "prices: none; `pip install 'fairlead[init]'` brings a public list"
        return
    yield f"prices: {starter.prices}"
    if starter.unpriced:
        yield f"        without a public price, served and not counted in dollars: {some(starter.unpriced)}"


def left_out(starter: Starter) -> Iterator[str]:
    """Say what is listed but not served."""
    for one in (*starter.catalogues, *starter.unserved):
        if one.left_out:
            yield f"{one.source.name}: not served, by their names or their number: {some(one.left_out)}"
        if one.without_vectors:
            yield f"{one.source.name}: not served, since Anthropic's API makes no vectors: {some(one.without_vectors)}"


def some(names: Iterable[str]) -> str:
    """Name the first few of many: `a, b, c and 7 more`."""
    every = tuple(names)
    more = len(every) - _NAMED
    return ", ".join(map(legible, every[:_NAMED])) + (f" and {more} more" if more > 0 else "")


def greeting(starter: Starter, base_url: str, *, folder: str) -> Iterator[str]:
    """Yield what is printed when the gateway listens, line by line."""
    yield ""
    yield f"{served(starter)} at {base_url}, for this machine alone, with or without a key"
    yield ""
    yield from _indented(curl(base_url, starter))
    yield ""
    yield from _indented(python(base_url, starter))
    yield ""
    yield from of_prices(starter)
    place = "" if folder == HERE else f" --state {folder}"
    yield f"next:   fairlead status{place}    what is served, and how it stands"
    yield f"        fairlead logs{place}      what became of requests, attempt by attempt"
    yield "        fairlead init DIR    the same as files to edit: names, fallbacks, keys, budgets"
    yield ""


def _indented(text: str) -> Iterator[str]:
    for line in text.splitlines():
        yield f"  {line}"
