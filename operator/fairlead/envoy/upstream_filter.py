"""The upstream filter of a gateway: Lua's source for `envoy.filters.http.lua` among the router's upstream filters.

It runs once per attempt, after its host is chosen; copies for shadows get it behind their hop.

**On the way out** it writes the host's credential, path (of Azure's API by deployments with model and version) and
model, and takes off what `allow_list` lets through because another provider names it in its `forwardHeaders`. Without
the credential no prompt leaves: the attempt fails. What is to be signed is told to the filters behind it (`signing`).

**On the way back** it takes off such headers, too, and makes a 200 that is no answer a failed attempt, which is 502 on
the last rung: an empty body; and, where the answer is a JSON object that comes as a whole, a body that is none, that
says that it is an error, or that lacks the list which its endpoint's clients read. Bodies up to 1 MiB are looked into;
longer ones with a `content-length`, compressed ones, streams, embeddings and images in chunks pass as they are. An
answer in the words of another API that cannot be said in the client's, and a status that HTTP does not have, are failed
attempts, too.
Answers of Bedrock's Converse go on in the words of Messages, streams event by event (`fairlead.envoy.words`).
Where a provider speaks Gemini's API, errors that come as a list are told as OpenAI's clients read them, and one
about the gateway's key is 401.
"""

import re
from collections.abc import Iterable

from fairlead.envoy import chunk, signing, words
from fairlead.envoy.allow_list import forwarded
from fairlead.envoy.errors import BAD_GATEWAY
from fairlead.envoy.layout import Layout
from fairlead.ir import Gateway, Protocol

PARTS = (
    *("names", "credentials", "signing", "headers", "paths", "words", "answers", "errors", "converse"),
    *("notes", "cascade", "attempt"),
)
"""The files of `lua/upstream/`, in the order in which they are joined: each sees the locals of those before it."""


def source(gateway: Gateway, layout: Layout, parts: Iterable[str] = PARTS) -> str:
    """Read the Lua source, one chunk of all parts (or of some), with what it must know of this gateway."""
    text = chunk.joined("upstream", parts)
    known = {
        "credentials_dir": layout.credentials_dir,
        "forwarded": " ".join(forwarded(gateway)),
        "listed": "1" if any(target.protocol is Protocol.GEMINI for target in gateway.targets) else "",
        "converses": "1" if words.converses(gateway) else "",
        "signs": "1" if signing.signers(gateway) else "",
        "versioned": "1" if any(target.api_version for target in gateway.targets) else "",
        "no_answer": BAD_GATEWAY.body(),
        "no_message": BAD_GATEWAY.anthropic(),
    }
    for name, value in known.items():
        text = text.replace(f"@{name}@", quoted(value))
    return text.replace("@words@", words.of_attempts(gateway)).replace("@converse@", words.of_answers(gateway))


def versioned(base_path: str, api_version: str) -> str:
    """Write a host's base path with the version that its requests say: see `lua/upstream/paths.lua`."""
    return f"{base_path}?{api_version}" if api_version else base_path


def quoted(value: str) -> str:
    """Escape what cannot stand in a string of Lua."""
    return re.sub(rb'["\\\x00-\x1f]', lambda found: b"\\%03d" % found[0][0], value.encode()).decode()
