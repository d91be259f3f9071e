"""Requests in the words of another API: Messages at providers of chat/completions, and the other way round.

**On the way out** the request filter says the body in the other API's words (`lua/messages/request.lua`,
`lua/chat/request.lua`), once, and leaves that beside the request; the upstream filter sends it to hosts that want it. A
request that the other API cannot say is refused before anything is sent, or passes over such hosts.

**On the way back** the upstream filter makes a failed attempt of an answer in one piece that the client's words have no
place for, so that the next rung is asked. A filter behind the token filter, which so reads what the provider wrote,
then says the answer in the client's words: whole, event by event, or an error. A stream that breaks has no end.

**Bedrock's Converse** is said both ways by the upstream filter (`lua/converse/`): a request of either API in its words,
its answer in those of Messages, as if a provider of those had answered. So nothing behind it knows Converse.
"""

from dataclasses import dataclass

from fairlead.envoy import chunk, matching, names
from fairlead.envoy.protobuf import Json, extension
from fairlead.ir import Gateway, LastResort, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Clients of one API, whose requests some hosts want in the words of the other one."""

    clients: str
    """What `names.TRANSLATED_KEY` says; also the folder of their own parts in `lua/`."""
    asked: str
    """Their path below `/v1`."""
    sent: str
    """The path of the hosts."""
    mark: str
    """Among the headers that such a host wants besides."""
    filter: str
    """The name of the filter that reads answers."""
    shared: tuple[str, ...]
    """Files of `lua/messages/` that answers are read with."""
    whole: str
    """The function that says a whole answer, or nil."""


MESSAGES = Words(
    clients="messages",
    asked="/messages",
    sent="/chat/completions",
    mark=names.WANTS_CHAT,
    filter=names.MESSAGES_FILTER,
    shared=("spans", "errors", "strict"),
    whole="message_of",
)
CHAT = Words(
    clients="chat",
    asked="/chat/completions",
    sent="/messages",
    mark=names.WANTS_MESSAGES,
    filter=names.CHAT_FILTER,
    shared=("spans",),
    whole="completion_of",
)
SHARED = ("spans", "strict", "parts", "effort", "turns")
"""Files of `lua/messages/` that all requests are said with."""
_OF_REQUESTS = {
    "@messages@": (("messages", ("request",)),),
    "@chat@": (("messages", ("spelling",)), ("chat", ("request", "values", "members"))),
    "@converse_messages@": (("converse", ("spelling", "request")),),
    "@converse_chat@": (("converse", ("spelling",)), ("chat", ("request", "values")), ("converse", ("members",))),
}
"""What says requests of one API in the words of another: folders and files; `spelling` has those of the other one."""


def source(words: Words) -> str:
    """Read the Lua source of the filter of answers, one chunk of all parts: code, not input."""
    parts = [
        chunk.parts("messages", ("names", *words.shared)),
        chunk.parts(words.clients, ("answer", "stream")),
        chunk.parts("messages", ("events", "filter")),
    ]
    return "\n".join(parts).replace("@clients@", words.clients).replace("@whole@", words.whole)


def of_requests(text: str) -> str:
    """Write into the request filter what it says requests with."""
    text = text.replace("@spans@", chunk.parts("messages", SHARED))
    for place in _OF_REQUESTS:
        text = text.replace(place, said_with(place))
    return text


def said_with(place: str) -> str:
    """Read the Lua source of a function `in_other_words`, which needs `SHARED`."""
    return "\n".join(chunk.parts(folder, parts) for folder, parts in _OF_REQUESTS[place])


def of_attempts(gateway: Gateway) -> str:
    """Make what the upstream filter must know of the words that hosts of this gateway want."""
    found = [_of_attempts(one) for one in wanted(gateway)]
    if converses(gateway):
        found += [_of_bedrock(MESSAGES.asked, "converse"), _of_bedrock(CHAT.asked, CHAT.clients)]
    return "\n".join(found)


def _of_attempts(words: Words) -> str:
    read = "\n".join((chunk.parts("messages", words.shared), chunk.parts(words.clients, ("answer",))))
    other = f'mark = "{words.mark}", path = "{words.sent}", clients = "{words.clients}", said = "{names.SAID_KEY}"'
    return f"do\n{read}\nSAYABLE.{words.clients} = {words.whole}\n{_wanted(words.asked, other)}\nend"


def _wanted(asked: str, other: str) -> str:
    return f'OTHERS["{asked}"][#OTHERS["{asked}"] + 1] = {{ {other} }}'


def _of_bedrock(asked: str, clients: str) -> str:
    other = f'mark = "{names.WANTS_CONVERSE}", clients = "{clients}", said = "{names.CONVERSED_KEY}", converse = true'
    return _wanted(asked, f'{other}, path = "/converse", streamed = {{ {other}, path = "/converse-stream" }}')


def of_answers(gateway: Gateway) -> str:
    """Make what the upstream filter says answers of Converse with, where some host of this gateway gives such."""
    if not converses(gateway):
        return ""
    used = ("message_of", "problem_of", "new_stream", "translated", "finish")
    return "\n".join((of_converse(), *(f"converse.{name} = {name}" for name in used)))


def converses(gateway: Gateway) -> bool:
    """Tell whether some host wants requests in the words of Converse."""
    hosts: tuple[Target | LastResort, ...] = (*gateway.targets, *gateway.last_resorts)
    return any(host.aws_region for host in hosts)


def of_converse() -> str:
    """Read what says answers of Bedrock's Converse in the words of Messages."""
    return "\n".join(
        (chunk.parts("messages", ("spans", "errors")), chunk.parts("converse", ("answer", "stream", "frames")))
    )


def wanted(gateway: Gateway) -> list[Words]:
    """List the words that some host of a gateway wants."""
    hosts: tuple[Target | LastResort, ...] = (*gateway.targets, *gateway.last_resorts)
    found = [MESSAGES] if any(host.translates_messages and not host.aws_region for host in hosts) else []
    return [*found, CHAT] if any(host.translates_chat for host in hosts) else found


def filters(gateway: Gateway) -> list[Json]:
    """Make the filters of answers; that of Messages is there always, so that a provider may begin to want it."""
    return [render(MESSAGES), *([render(CHAT)] if CHAT in wanted(gateway) else [])]


def render(words: Words) -> Json:
    """Make the filter; requests to other paths pass it by."""
    lua = {"default_source_code": {"inline_string": source(words)}}
    made = extension(words.clients, "envoy.extensions.filters.http.lua.v3.Lua", lua)
    return matching.only(words.filter, made, ":path", {"prefix": f"/v1{words.asked}"}, label="path")
