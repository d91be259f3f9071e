"""What Azure OpenAI does otherwise than OpenAI: where it answers, what it says in errors, and its filters' findings.

Paths and messages are those of Azure's reference and of the real service: by deployments with `api-version`, and `/v1`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fairlead.demo.provider.refusal import Code, Refusal
from fairlead.demo.provider.sse import data

OF_DEPLOYMENTS = frozenset(
    {
        "/chat/completions",
        "/completions",
        "/embeddings",
        "/images/generations",
        "/audio/speech",
        "/images/edits",
        "/audio/transcriptions",
        "/audio/translations",
    }
)
_OF_RESOURCES = frozenset({"/responses", "/models"})
_IN_BODY = OF_DEPLOYMENTS | _OF_RESOURCES
_VERSION = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}(-preview)?")
_FIRST_WITH_RESPONSES = "2025-03-01-preview"
_SAFE = {name: {"filtered": False, "severity": "safe"} for name in ("hate", "self_harm", "sexual", "violence")}
_NOT_FOUND = Refusal(status=404, code=Code.RESOURCE_NOT_FOUND, message="Resource not found")
_NO_VERSION = Refusal(status=400, code=Code.BAD_REQUEST, message="API version not supported")
_NO_RESPONSES = Refusal(
    status=400,
    code=Code.BAD_REQUEST,
    message="Azure OpenAI Responses API is enabled only for api-version 2025-03-01-preview and later",
)
NO_KEY = Refusal(
    status=401,
    code=Code.ACCESS_DENIED,
    message="Access denied due to invalid subscription key or wrong API endpoint.",
)
NO_DEPLOYMENT = Refusal(
    status=404,
    code=Code.DEPLOYMENT_NOT_FOUND,
    message="The API deployment for this resource does not exist. If you created the deployment within the last 5"
    " minutes, please wait a moment and try again.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a URL asks for."""

    endpoint: str
    """As OpenAI has it below `/v1`."""
    deployment: str | None = None
    """None: it stands in the body."""
    takes_bearer: bool = False
    """A key may come as OpenAI's clients send it, too."""


def asked(path: str, query: Mapping[str, str]) -> Asked | Refusal:
    """Read a path below the base, and its query."""
    version = query.get("api-version")
    if path.startswith("/v1/"):
        return _asked_of_v1(path.removeprefix("/v1"), version)
    return _NOT_FOUND if version is None else _asked_of(path, version)


def _asked_of_v1(endpoint: str, version: str | None) -> Asked | Refusal:
    if version not in {None, "v1", "preview"}:
        return _NO_VERSION
    return Asked(endpoint=endpoint, takes_bearer=True) if endpoint in _IN_BODY else _NOT_FOUND


def _asked_of(path: str, version: str) -> Asked | Refusal:
    if not _VERSION.fullmatch(version):
        return _NO_VERSION
    if path == "/responses" and version < _FIRST_WITH_RESPONSES:
        return _NO_RESPONSES
    if path in _OF_RESOURCES:
        return Asked(endpoint=path)
    found = re.fullmatch("/deployments/([^/]+)(/.+)", path)
    is_known = found is not None and found[2] in OF_DEPLOYMENTS
    return Asked(endpoint=found[2], deployment=found[1]) if found and is_known else _NOT_FOUND


def error_body(refusal: Refusal) -> Mapping[str, Any]:
    """Shape an error; a 400 that somebody asked for is what the filter of contents says."""
    if refusal.code is Code.FAULT and refusal.status == 400:  # noqa: PLR2004 - HTTP
        return {
            "error": {
                "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management"
                " policy.",
                "type": None,
                "param": "prompt",
                "code": "content_filter",
                "status": 400,
                "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": _SAFE},
            }
        }
    code = str(refusal.status) if refusal.code is Code.FAULT else refusal.code
    return {"error": {"code": code, "message": refusal.message}}


def filtered(whole: Mapping[str, Any]) -> dict[str, Any]:
    """Add what the filters found to an answer in one piece."""
    choices = [{**choice, "content_filter_results": _SAFE} for choice in whole["choices"]]
    return {**whole, "choices": choices, "prompt_filter_results": _of_prompt()}


def filtered_stream(events: Iterator[bytes]) -> Iterator[bytes]:
    """Add it to a stream: of the prompt in an event of its own, before anything is said."""
    yield data(
        {"choices": [], "created": 0, "id": "", "model": "", "object": "", "prompt_filter_results": _of_prompt()}
    )
    for event in events:
        text = event.removeprefix(b"data: ").strip()
        if text == b"[DONE]":
            yield event
            continue
        chunk = json.loads(text)
        yield data({**chunk, "choices": [{**choice, "content_filter_results": {}} for choice in chunk["choices"]]})


def _of_prompt() -> list[Any]:
    return [{"prompt_index": 0, "content_filter_results": _SAFE}]
