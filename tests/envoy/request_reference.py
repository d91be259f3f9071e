"""What the request filter should make of a body, told by Python's own JSON parser."""

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from json.decoder import scanstring

from filter_gateway import DIRECTORY

from fairlead.ir import word

READ = (
    "model",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "n_predict",
    "n",
    "best_of",
    "n_cmpl",
    "prompt",
    "prompt_embeds",
    "background",
    "previous_response_id",
    "conversation",
    *("container", "cached_content", "kv_transfer_params", "session_params", "deferred"),
    *("models", "fallbacks", "route", "provider", "preset", "model_list", "user_config", "context_window_fallbacks"),
    *("content_policy_fallbacks", "custom_llm_provider", "api_base", "base_url", "api_key", "lora", "lora_path"),
    *("lora_request", "adapter_id"),
    *("service_tier", "speed", "inference_geo", "prediction", "web_search_options", "search_parameters", "plugins"),
    *("mcp_servers", "data_sources", "enable_search", "search_options", "web_search", "search_settings"),
    *("compound_custom", "enable_enhancement", "extra_body", "chat_template", "tools", "input"),
)
UNSUPPORTED = READ[READ.index("previous_response_id") : READ.index("service_tier")]
STORED = ("prompt", "background")
DEEP = (
    *("file_id", "file_ids", "file_uri", "vector_store_id", "vector_store_ids", "container", "container_id"),
    *("connector_id", "skill_id", "batch_id", "prompt_id", "response_id", "previous_response_id", "conversation_id"),
    *("cached_content", "upload_id", "library_ids", "collection_ids", "knowledge_id", "audio"),
)
OPAQUE_IN_BODY = ("metadata", "documents", "chat_template_kwargs")
OPAQUE = (
    *("parameters", "input_schema", "schema", "input", "input_examples", "arguments", "annotations", "citations"),
    *OPAQUE_IN_BODY,
)
OWN = {
    "/v1/chat/completions": ("max_completion_tokens", "max_tokens"),
    "/v1/completions": ("max_tokens",),
    "/v1/responses": ("max_output_tokens",),
    "/v1/messages": ("max_tokens",),
    "/v1/embeddings": (),
}
USAGE_PATHS = ("/v1/chat/completions", "/v1/completions")
USAGE = '{"include_usage":true}'
SPACE = re.compile(r"[ \t\r\n]*")
# Numbers stay text: a float or a long int would lose what must not be lost.
DEEPEST = 128
LONGEST_NAME = 512
"""Bytes of UTF-8."""
FOLDING = "\u017f\u212a\u0130\u0131"


def _no_number(text: str) -> None:
    """RFC 8259 has no NaN and no Infinity; Python's json reads them."""
    raise ValueError(text)


DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_no_number)


class RefusedError(Exception):
    """The code of the error that the filter should answer with."""


@dataclass(frozen=True, slots=True)
class Member:
    """One member of an object, as written: quotes and escapes in the key, the value's very bytes."""

    key: str
    value: str
    at: int = field(default=-1, compare=False)
    """Where the value starts in the object."""


@dataclass(frozen=True, slots=True)
class Forwarded:
    """What the provider should get, and what the log should say."""

    members: tuple[Member, ...]
    model: str
    stream: bool
    route: str


def members(text: str) -> list[Member]:
    """Take an object apart.

    Raises:
        ValueError: Python's json does not accept the text as one object.

    """
    if not isinstance(DECODER.decode(text), dict):
        raise ValueError("no object")  # noqa: TRY004  to the caller, one case with all that is no JSON
    found = []
    at = _after_space(text, _after_space(text, 0) + 1)
    while text[at] != "}":
        _, end = scanstring(text, at + 1, True)
        key = text[at:end]
        start = _after_space(text, _after_space(text, end) + 1)
        _, end = DECODER.raw_decode(text, start)
        found.append(Member(key, text[start:end], start))
        at = _after_space(text, end)
        if text[at] == ",":
            at = _after_space(text, at + 1)
    return found


def expected(text: str, path: str) -> Forwarded:
    """Decide as the filter should, for team/alice.

    Raises:
        ValueError: Python's json does not accept the body as one object.
        RefusedError: the body is JSON, and must be refused with this code.

    """
    given = members(text)
    if _depth(text) > DEEPEST:
        raise RefusedError("invalid_json")
    read = _read(given, READ)
    if "model" not in read:
        raise RefusedError("missing_model")
    name = _text(read["model"])
    if not 0 < len(name.encode(errors="surrogatepass")) <= LONGEST_NAME or _is_odd(name):
        raise RefusedError("invalid_model")
    if read.get("stream", "null") not in ("true", "false", "null"):
        raise RefusedError("invalid_stream")
    model, stream = word.encode(name), read.get("stream") == "true"
    entry = DIRECTORY.get(f"n:team|{model}") or DIRECTORY.get(f"n:*|{model}") or "-"
    if entry == "-":
        raise RefusedError("model_not_found")
    route, kind, cap, wire = entry.split(" ")[:4]
    if (kind == "Embedding") != (path == "/v1/embeddings"):
        raise RefusedError("unsupported_endpoint")

    _judge_numbers_and_names(read, path)
    if _names_what_is_kept("{" + text.partition("{")[2], 0):
        raise RefusedError("unsupported_parameter")
    changed: dict[str, str] = {}
    added: list[Member] = []
    if stream and path in USAGE_PATHS:
        _ask_for_usage(read, changed, added)
    if cap != "-":
        _cap(read, OWN[path], int(cap), changed, added)
    rest = [Member(m.key, changed.get(m.key[1:-1], m.value)) for m in given if m.key != '"model"']
    return Forwarded((Member('"model"', _in_json(word.decode(wire))), *added, *rest), model, stream, route)


def _judge_numbers_and_names(read: Mapping[str, str], path: str) -> None:
    if any(re.fullmatch(r"-?[0-9]{16,}", read.get(name, "")) for name in READ[3:10]):
        raise RefusedError("invalid_number")
    off = {name: read.get(name, "null").replace("false", "null") for name in ("background", "deferred")}
    names = (*UNSUPPORTED, *(STORED if path == "/v1/responses" else ()))
    if any({**read, **off}.get(name, "null") != "null" for name in names):
        raise RefusedError("unsupported_parameter")
    if path == "/v1/responses" and any(_is_reference(json.loads(item)) for item in _elements(read.get("input", ""))):
        raise RefusedError("unsupported_parameter")


def _elements(text: str) -> list[str]:
    found = json.loads(text) if text.startswith("[") else []
    return [json.dumps(one) for one in found if isinstance(one, dict)]


def _is_reference(item: dict[str, object]) -> bool:
    if item.get("type") == "item_reference":
        return True
    own = any(item.get(name) for name in ("content", "encrypted_content", "result"))
    return item.get("id") is not None and not own


def _names_what_is_kept(text: str, depth: int) -> bool:
    """Look for names of what a provider keeps, in objects inside a value."""
    if text.startswith("["):
        at = _after_space(text, 1)
        while text[at] != "]":
            _, end = DECODER.raw_decode(text, at)
            if _names_what_is_kept(text[at:end], depth):
                return True
            at = _after_space(text, end)
            at = _after_space(text, at + 1) if text[at] == "," else at
        return False
    if not text.startswith("{"):
        return False
    for member in members(text):
        name = {one.replace("_", ""): one for one in DEEP}.get(_folded(member.key))
        wanted = {"container": '"', "audio": "{"}.get(name or "", member.value[0])
        begins = name and member.key[1].lower() in {name[0], "\\", *FOLDING}
        if begins and depth and member.value != "null" and member.value[0] == wanted:
            return True
        plain = member.key[1:-1]
        is_own = plain in (OPAQUE if depth else OPAQUE_IN_BODY) and member.value != "null"
        if not is_own and _names_what_is_kept(member.value, depth + 1):
            return True
    return False


def _text(value: str) -> str:
    return str(json.loads(value)) if value.startswith('"') else ""


def _is_odd(name: str) -> bool:
    return any(unicodedata.category(character) in ("Cc", "Cs") for character in name)


def _in_json(name: str) -> str:
    """Write a name as bodies carry it: no quote inside, everything else as it is."""
    return '"' + name.replace("\\", "\\u005c").replace('"', "\\u0022") + '"'


def _depth(text: str) -> int:
    """Count containers in containers of a text that is JSON."""
    deepest = depth = 0
    for bracket in re.findall(r"[\[{\]}]", re.sub(r'"(?:[^"\\]|\\.)*"', "", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _folded(key: str) -> str:
    """Reduce a key to what lenient servers may take it for."""
    text = json.loads(key).partition("\0")[0]
    for letter, plain in {"\u017f": "s", "\u212a": "k", "\u0130": "i", "\u0131": "i"}.items():
        text = text.replace(letter, plain)
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _read(given: list[Member], names: tuple[str, ...]) -> dict[str, str]:
    """Pick the members that are read; each must be there at most once, and not in a disguise."""
    read: dict[str, str] = {}
    folded = {name.replace("_", ""): name for name in names}
    for member in given:
        name = folded.get(_folded(member.key))
        # Keys that begin with another sign are nobody's name, whatever follows.
        if name is None or member.key[1].lower() not in {name[0], "\\", *FOLDING}:
            continue
        if member.key != f'"{name}"' or name in read:
            raise RefusedError("invalid_json")
        read[name] = member.value
    return read


def _ask_for_usage(read: Mapping[str, str], changed: dict[str, str], added: list[Member]) -> None:
    options = read.get("stream_options")
    if options is None:
        added.append(Member('"stream_options"', USAGE))
        return
    if options == "null":
        changed["stream_options"] = USAGE
        return
    if not options.startswith("{"):
        raise RefusedError("invalid_stream_options")
    inner = members(options)
    asked = _read(inner, ("include_usage",)).get("include_usage")
    if asked is None:
        rest = options[1:]
        changed["stream_options"] = '{"include_usage":true' + ("," if inner else "") + rest
    elif asked in ("false", "null"):
        at = next(member.at for member in inner if member.key == '"include_usage"')
        changed["stream_options"] = options[:at] + "true" + options[at + len(asked) :]
    elif asked != "true":
        raise RefusedError("invalid_stream_options")


def _cap(read: Mapping[str, str], own: tuple[str, ...], cap: int, changed: dict[str, str], added: list[Member]) -> None:
    for name in READ[3:7]:
        value = read.get(name, "null")
        if value == "null":
            continue
        if not re.fullmatch(r"[1-9][0-9]*", value):
            raise RefusedError("invalid_max_tokens")
        if int(value) > cap:
            changed[name] = str(cap)
    if own and all(read.get(name, "null") == "null" for name in own):
        if own[0] in read:
            changed[own[0]] = str(cap)
        else:
            added.append(Member(f'"{own[0]}"', str(cap)))


def _after_space(text: str, at: int) -> int:
    found = SPACE.match(text, at)
    assert found
    return found.end()
