"""Answers one HTTP request: strictness first, then the fault that is set, then the answer in its endpoint's shape."""

import asyncio
import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from fairlead.demo.provider import (
    azure,
    bedrock,
    beside,
    chat,
    check,
    converse,
    embeddings,
    event_stream,
    form,
    gemini,
    messages,
    responses,
)
from fairlead.demo.provider.aws_signature import Signed
from fairlead.demo.provider.beside import BesideQuestion
from fairlead.demo.provider.embeddings import EmbeddingQuestion
from fairlead.demo.provider.fault import Fault, Faults
from fairlead.demo.provider.journal import Journal, Outcome, Record
from fairlead.demo.provider.refusal import (
    Code,
    Refusal,
    check_body_headers,
    check_headers,
    check_internal,
    check_version,
    error_body,
)
from fairlead.demo.provider.reply import CREATED, Habits, Question, answer
from fairlead.demo.provider.settings import Settings
from fairlead.demo.provider.sse import data, dumps, event

NO_FAULT = Fault()
Asked = Question | EmbeddingQuestion | BesideQuestion
READERS: Mapping[str, Callable[[Mapping[str, Any]], Asked]] = {
    **beside.READERS,
    **form.READERS,
    "/chat/completions": chat.read_chat,
    "/completions": chat.read_completion,
    "/responses": responses.read,
    "/messages": messages.read,
    "/embeddings": embeddings.read,
}
COUNT = "/messages/count_tokens"
CONVERSE = "converse"
OF_ANTHROPIC: Mapping[str, Callable[[Mapping[str, Any]], Asked]] = {
    "/messages": messages.read,
    COUNT: messages.read_count,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """A request after all checks: what is asked, or why it is refused, or neither (a list of models)."""

    question: Asked | None = None
    refusal: Refusal | None = None
    model: str | None = None
    endpoint: str = ""
    """What is asked, as OpenAI has it below `/v1`."""


MADE = "2026-01-01T00:00:00Z"
PROBE = "fairlead-probe"
"""What probes of `fairlead.adapters.probe` call themselves."""


class Service:
    """The provider's behaviour, apart from its sockets."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.faults = Faults()
        self.journal = Journal()
        self.dying = False
        self._kept = responses.Kept(settings.region)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request, and note what became of it."""
        body = await request.content.read()
        read = self._read(request, body)
        # Whoever asks only whether it is alive sends no key, which is no mistake: that is answered, and not counted;
        # nor does it take a fault that is meant for so many requests.
        is_probe = request.headers.get("user-agent") == PROBE
        journal = Journal() if is_probe else self.journal
        fault = self.faults.take(path=request.path, model=read.model, is_probe=is_probe)
        record = Record(
            number=journal.next_number(),
            method=request.method,
            target=request.raw_path,
            headers=tuple((key.decode("latin-1"), value.decode("latin-1")) for key, value in request.raw_headers),
            body=body,
            model=read.model,
            problem=None if read.refusal is None else read.refusal.code,
            faulty=fault is not None,
            stream=isinstance(read.question, Question | BesideQuestion) and read.question.stream,
        )
        journal.open(record)
        outcome = Outcome.BROKEN
        try:
            response = await self._answer(request, record, read, fault or NO_FAULT)
            outcome = Outcome.ANSWERED
        except (asyncio.CancelledError, ConnectionResetError):
            if record.outcome is Outcome.OPEN and not self.dying:
                outcome = Outcome.DISCONNECTED
            raise
        else:
            return response
        finally:
            journal.close(record, outcome)

    def _read(self, request: web.BaseRequest, body: bytes) -> _Read:
        if self.settings.bedrock:
            return self._read_signed(request, body)
        path = request.path
        base = self.settings.base
        endpoint = path[len(base) :] if path.startswith(base) else ""
        if not self.settings.azure:
            return self._read_at(azure.Asked(endpoint=endpoint), request, body)
        asked = azure.asked(endpoint, request.query)
        if isinstance(asked, Refusal):
            return _Read(refusal=asked)
        return self._read_at(asked, request, body)

    def _read_signed(self, request: web.BaseRequest, body: bytes) -> _Read:
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.raw_headers]
        signed = Signed(method=request.method, target=request.raw_path, headers=headers, body=body)
        refusal = check_internal(headers) or bedrock.check_signature(
            signed, region=self.settings.region, keys=self.settings.keys
        )
        asked = bedrock.asked(request.method, request.raw_path)
        if refusal is not None or isinstance(asked, Refusal):
            return _Read(refusal=refusal or (asked if isinstance(asked, Refusal) else None))
        if asked.model not in self.settings.models:
            return _Read(refusal=bedrock.NO_MODEL, model=asked.model)
        refusal = check_body_headers(request.headers, request.path)
        if refusal is not None:
            return _Read(refusal=refusal, model=asked.model)
        try:
            question = converse.read(check.parse(body), model=asked.model, stream=asked.stream)
        except check.Malformed as error:
            refusal = Refusal(status=400, code=Code.MALFORMED_BODY, message=str(error), param=error.param)
            return _Read(refusal=refusal, model=asked.model)
        return _Read(question=question, model=asked.model, endpoint=CONVERSE)

    def _read_at(self, asked: azure.Asked, request: web.BaseRequest, body: bytes) -> _Read:
        path, endpoint = request.path, asked.endpoint
        is_list = endpoint == "/models" or endpoint.startswith("/models/")
        readers = OF_ANTHROPIC if self.settings.anthropic else READERS
        has = gemini.ENDPOINTS if self.settings.gemini else readers
        if endpoint not in has and not is_list:
            message = f"Invalid URL ({request.method} {path})"
            return _Read(refusal=Refusal(status=404, code=Code.INVALID_URL, message=message))
        if request.method != ("GET" if is_list else "POST"):
            message = f"Method {request.method} is not allowed on {path}"
            return _Read(refusal=Refusal(status=405, code=Code.METHOD_NOT_ALLOWED, message=message))
        refusal = self._refusal_of_caller(request, takes_bearer=asked.takes_bearer)
        if refusal is not None:
            return _Read(refusal=refusal)
        if is_list:
            wanted = unquote(request.raw_path.partition("?")[0][len(self.settings.base) + len("/models/") :])
            is_one = endpoint != "/models"
            return self._known(wanted, None, self._all_models()) if is_one else _Read()
        refusal = None if endpoint in form.READERS else check_body_headers(request.headers, path)
        if refusal is not None:
            return _Read(refusal=refusal)
        kind = request.headers.get("Content-Type", "")
        return replace(self._read_body(endpoint, body, asked.deployment, kind), endpoint=endpoint)

    def _refusal_of_caller(self, request: web.BaseRequest, *, takes_bearer: bool) -> Refusal | None:
        settings = self.settings
        if takes_bearer and "authorization" in request.headers:
            settings = replace(settings, header="Authorization")
        refusal = check_headers(request.headers.items(), settings)
        if refusal is not None:
            own = azure.NO_KEY if self.settings.azure else gemini.NO_KEY if self.settings.gemini else None
            return own or refusal
        return check_version(request.headers) if self.settings.anthropic else None

    def _read_body(self, endpoint: str, body: bytes, deployment: str | None, kind: str) -> _Read:
        try:
            written = form.parse(body, kind) if endpoint in form.READERS else check.parse(body)
            if deployment is not None:
                written["model"] = deployment
            if self.settings.gemini and (refusal := gemini.unknown(written)) is not None:
                return _Read(refusal=refusal)
            question = (OF_ANTHROPIC if self.settings.anthropic else READERS)[endpoint](written)
            if isinstance(question, Question):
                question = self._kept.gone_on_from(question)
        except check.Malformed as error:
            refusal = Refusal(status=400, code=Code.MALFORMED_BODY, message=str(error), param=error.param)
            return _Read(refusal=refusal)
        served = self.settings.models
        if endpoint == "/embeddings":
            served = self.settings.embedding_models or served
        elif endpoint in beside.READERS or endpoint in form.READERS:
            served = self.settings.beside_models or served
        return self._known(question.model, question, served)

    def _known(self, model: str, question: Asked | None, served: tuple[str, ...]) -> _Read:
        if self.settings.gemini:
            model = model.removeprefix(gemini.FOLDER)
        if model in served:
            return _Read(question=question, model=model)
        if self.settings.azure:
            return _Read(refusal=azure.NO_DEPLOYMENT, model=model)
        message = f"The model `{model}` does not exist or you do not have access to it."
        refusal = Refusal(status=404, code=Code.MODEL_NOT_FOUND, message=message, param="model")
        return _Read(refusal=refusal, model=model)

    def _all_models(self) -> tuple[str, ...]:
        settings = self.settings
        return tuple(dict.fromkeys(settings.models + settings.embedding_models + settings.beside_models))

    async def _answer(self, request: web.BaseRequest, record: Record, read: _Read, fault: Fault) -> web.StreamResponse:
        if fault.reset or fault.drop:
            await _break(request, record, reset=fault.reset)
        if fault.hang:
            await _forever()
        wait_ms = fault.slow_first_byte_ms + self.settings.first_byte_ms
        if wait_ms:
            await asyncio.sleep(wait_ms / 1000)
        refusal = read.refusal
        if fault.status is not None:
            message = f"{self.settings.region}: a fault that somebody asked for"
            refusal = Refusal(status=fault.status, code=Code.FAULT, message=message)
        if refusal is not None:
            return self._refuse(request, record, refusal, fault)
        question = read.question
        if isinstance(question, Question) and request.path.endswith(COUNT):
            return self._json(record, {"input_tokens": question.prompt_tokens})
        if isinstance(question, Question):
            return await self._reply(request, record, question, read.endpoint, fault)
        if isinstance(question, EmbeddingQuestion):
            return self._json(record, embeddings.whole(question, usage=fault.usage))
        if isinstance(question, BesideQuestion):
            return await self._beside(request, record, question, fault)
        return self._json(record, self._models(read.model))

    async def _beside(
        self, request: web.BaseRequest, record: Record, question: BesideQuestion, fault: Fault
    ) -> web.StreamResponse:
        if question.stream:
            return await self._stream(request, record, beside.stream(question, usage=fault.usage), fault)
        sound = question.sound
        if not sound:
            return self._json(record, beside.whole(question, usage=fault.usage))
        pieces = (sound[at : at + 997] for at in range(0, len(sound), 997))
        return await self._stream(request, record, pieces, fault, media_type=question.media_type)

    def _refuse(self, request: web.BaseRequest, record: Record, refusal: Refusal, fault: Fault) -> web.Response:
        said: Mapping[str, Any] | list[Any] = error_body(refusal, request.path, anthropic=self.settings.anthropic)
        if self.settings.azure:
            said = azure.error_body(refusal)
        elif self.settings.gemini:
            said = gemini.error_body(refusal)
        elif self.settings.bedrock:
            said = bedrock.error_body(refusal)
        response = self._json(record, said, status=refusal.status)
        if self.settings.bedrock:
            response.headers.update(bedrock.error_headers(refusal))
        if fault.retry_after is not None:
            response.headers["Retry-After"] = str(fault.retry_after)
            if self.settings.azure:
                response.headers["retry-after-ms"] = str(1000 * fault.retry_after)
        return response

    def _models(self, only: str | None) -> Mapping[str, Any]:
        names = self._all_models() if only is None else (only,)
        if self.settings.anthropic:
            models = [{"type": "model", "id": name, "display_name": name, "created_at": MADE} for name in names]
            ends = {"has_more": False, "first_id": names[0], "last_id": names[-1]}
            return {"data": models, **ends} if only is None else models[0]
        owner = self.settings.region
        folder = gemini.FOLDER if self.settings.gemini else ""
        items = [{"id": folder + name, "object": "model", "created": CREATED, "owned_by": owner} for name in names]
        return {"object": "list", "data": items} if only is None else items[0]

    async def _reply(
        self, request: web.BaseRequest, record: Record, question: Question, endpoint: str, fault: Fault
    ) -> web.StreamResponse:
        settings = self.settings
        habits = Habits(
            region=settings.region, answer_tokens=settings.answer_tokens, cached_percent=settings.cached_percent
        )
        reply = answer(question, habits, number=record.number, usage=fault.usage)
        record.completion_tokens = len(reply.pieces) * reply.choices
        size = settings.tokens_per_chunk
        events: Iterator[bytes]
        if endpoint == "/chat/completions":
            whole, events = chat.whole_chat(reply), chat.stream_chat(reply, question, tokens_per_chunk=size)
        elif endpoint == "/completions":
            whole, events = chat.whole_completion(reply), chat.stream_completion(reply, question, tokens_per_chunk=size)
        elif endpoint == "/responses":
            reply = self._kept.keep(reply, question)
            whole, events = responses.whole(reply, question), responses.stream(reply, question, tokens_per_chunk=size)
        elif endpoint == CONVERSE:
            whole, events = converse.whole(reply, question), converse.stream(reply, question, tokens_per_chunk=size)
        else:
            whole, events = messages.whole(reply), messages.stream(reply, tokens_per_chunk=size)
        if settings.azure and endpoint in azure.OF_DEPLOYMENTS:
            whole, events = azure.filtered(whole), azure.filtered_stream(events)
        if settings.gemini:
            whole, events = gemini.thoughtful(whole), gemini.thoughtful_stream(events)
        if question.stream:
            return await self._stream(request, record, events, fault)
        return self._json(record, whole)

    async def _stream(
        self,
        request: web.BaseRequest,
        record: Record,
        events: Iterator[bytes],
        fault: Fault,
        *,
        media_type: str = "text/event-stream",
    ) -> web.StreamResponse:
        kind = event_stream.CONTENT_TYPE if self.settings.bedrock else media_type
        headers = {**self._headers(record), "Content-Type": kind, "Cache-Control": "no-cache"}
        response = web.StreamResponse(headers=headers)
        response.enable_chunked_encoding()
        record.status = 200
        await response.prepare(request)
        gap_ms = self.settings.chunk_gap_ms if fault.chunk_gap_ms is None else fault.chunk_gap_ms
        if fault is not NO_FAULT:
            await response.write(b"")  # aiohttp holds the headers back until the first write
        if fault.slow_first_chunk_ms:
            await asyncio.sleep(fault.slow_first_chunk_ms / 1000)
        for one in events:
            if record.chunks == fault.break_after_chunks:
                await _break(request, record, reset=True)
            if record.chunks == fault.stall_after_chunks:
                await _forever()
            if record.chunks == fault.error_after_chunks:
                await response.write(self._stream_error(request.path))
                break
            if gap_ms and record.chunks:
                await asyncio.sleep(gap_ms / 1000)
            await response.write(one)
            record.chunks += 1
        await response.write_eof()
        return response

    def _stream_error(self, path: str) -> bytes:
        text = f"{self.settings.region}: a fault that somebody asked for"
        if self.settings.bedrock:
            return bedrock.stream_error(text)
        said = error_body(Refusal(status=500, code=Code.FAULT, message=text), path, anthropic=self.settings.anthropic)
        return event(said) if "type" in said else data(said)

    def _json(self, record: Record, body: Mapping[str, Any] | list[Any], *, status: int = 200) -> web.Response:
        record.status = status
        headers = {**self._headers(record), "Content-Type": "application/json"}
        return web.Response(body=dumps(body), status=status, headers=headers)

    def _headers(self, record: Record) -> dict[str, str]:
        name = "x-amzn-RequestId" if self.settings.bedrock else "x-request-id"
        return {name: f"req_{record.number:016x}", "x-simulated-region": self.settings.region}


async def _break(request: web.BaseRequest, record: Record, *, reset: bool) -> None:
    """End the connection from this side; aiohttp then cancels the caller."""
    record.outcome = Outcome.BROKEN
    transport = request.transport
    if transport is not None and reset:
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    elif transport is not None:
        transport.close()
    await _forever()


async def _forever() -> None:
    """Wait until aiohttp cancels the request because its client left."""
    await asyncio.Event().wait()
