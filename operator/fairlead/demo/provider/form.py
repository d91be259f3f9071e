"""What a strict provider accepts as multipart/form-data, and what it makes of transcriptions and edits.

The reader is written apart from the gateway's: it splits where RFC 2046 says, and refuses what it does not know.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from fairlead.demo.provider import beside, check
from fairlead.demo.provider.beside import BesideQuestion
from fairlead.demo.provider.reply import tokens_of

BYTES_PER_SECOND = 1000
"""Of the audio that is sent: so long is it taken for."""
WORDS = "one two three four"
_TYPE = re.compile(r"multipart/form-data; boundary=([\w'+.-]{1,70})", re.ASCII)
_DISPOSITION = re.compile(rb'Content-Disposition: form-data; name="([^"]+)"(; filename="[^"]*")?(; filename\*=\S+)?')
_FILES = frozenset({"file", "image", "image[]", "mask"})


def parse(raw: bytes, content_type: str) -> dict[str, Any]:
    """Parse a form; lists for names that end in `[]`, bytes for files. Raises `Malformed`."""
    found = _TYPE.fullmatch(content_type)
    if found is None:
        raise check.Malformed(f"Invalid Content-Type: {content_type}")
    mark = b"--" + found[1].encode()
    first, *parts, last = (b"\r\n" + raw).split(b"\r\n" + mark)
    if first or last.rstrip(b"\r\n") != b"--" or raw.count(mark) != len(parts) + 1:
        raise check.Malformed("The form has no boundary where it should, or one where it should not")
    form: dict[str, Any] = {}
    for part in parts:
        name, value = _field(part)
        if name.endswith("[]"):
            form.setdefault(name, []).append(value)
        elif name in form:
            raise check.Malformed(f"The field '{name}' stands twice in the form", name)
        else:
            form[name] = value
    return form


def _field(part: bytes) -> tuple[str, str | bytes]:
    head, blank, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    disposition = next((line for line in head.split(b"\r\n") if line.startswith(b"Content-Disposition")), b"")
    said = _DISPOSITION.fullmatch(disposition)
    if not blank or said is None:
        raise check.Malformed("A part of the form has no name")
    name = said[1].decode()
    is_file = bool(said[2] or said[3])
    if is_file is not (name in _FILES):
        raise check.Malformed(f"The field '{name}' is {'a' if is_file else 'no'} file", name)
    return name, content if is_file else content.decode()


def read_transcription(form: Mapping[str, Any], *, translates: bool = False) -> BesideQuestion:
    """Check a transcription: `whisper` counts seconds, others tokens."""
    known = {"model", "file", "language", "prompt", "response_format", "temperature", "stream", "include[]"}
    _known(form, known | {"timestamp_granularities[]"}, "model", "file")
    seconds = len(form["file"]) / BYTES_PER_SECOND
    shape, whisper = form.get("response_format", "json"), form["model"].startswith("whisper")
    if shape not in ({"json", "text", "srt", "verbose_json", "vtt"} if whisper else {"json", "text"}):
        raise check.Malformed(f"response_format '{shape}' is not compatible with model", "response_format")
    if shape in {"text", "srt", "vtt"}:
        return BesideQuestion(model=form["model"], sound=f"{WORDS}\n".encode(), media_type="text/plain; charset=utf-8")
    audio = math.ceil(seconds * 10)
    text = tokens_of(form.get("prompt", ""))
    usage = {
        "type": "tokens",
        "input_tokens": audio + text,
        "input_token_details": {"text_tokens": text, "audio_tokens": audio},
        "output_tokens": 4,
        "total_tokens": audio + text + 4,
    }
    timed = {"type": "duration", "seconds": math.ceil(seconds)}
    more = {"task": "translate" if translates else "transcribe", "language": "english", "duration": seconds}
    streams = form.get("stream") == "true" and not whisper
    done = {"type": "transcript.text.done", "text": WORDS}
    return BesideQuestion(
        model=form["model"],
        body={"text": WORDS, **({**more, "segments": []} if shape == "verbose_json" else {})},
        usage=None if translates or shape == "verbose_json" else timed if whisper else usage,
        events=({"type": "transcript.text.delta", "delta": WORDS}, done) if streams else (),
    )


def read_translation(form: Mapping[str, Any]) -> BesideQuestion:
    """Check a translation; it tells no usage."""
    return read_transcription(form, translates=True)


def read_edit(form: Mapping[str, Any]) -> BesideQuestion:
    """Check an edit of images."""
    images = form.get("image[]") or ([form["image"]] if "image" in form else [])
    known = {"model", "prompt", "image", "image[]", "mask", "n", "size", "quality", "stream", "partial_images"}
    _known(form, known | {"background", "input_fidelity", "output_format", "user"}, "model", "prompt")
    if not images:
        raise check.Malformed("Missing required parameter: 'image'.", "image")
    count = form.get("n", "1")
    if not re.fullmatch("[1-9]|10", count):
        raise check.Malformed(f"Invalid 'n': {count}", "n")
    body = {"model": form["model"], "n": int(count), "stream": form.get("stream") == "true"}
    return beside.images(
        body,
        by_tokens="gpt-image" in form["model"],
        input_tokens=tokens_of(form["prompt"]),
        image_tokens=beside.IMAGE_TOKENS * len(images),
    )


READERS: Mapping[str, Callable[[Mapping[str, Any]], BesideQuestion]] = {
    "/images/edits": read_edit,
    "/audio/transcriptions": read_transcription,
    "/audio/translations": read_translation,
}


def _known(form: Mapping[str, Any], table: frozenset[str] | set[str], *required: str) -> None:
    for name in form:
        if name not in table:
            raise check.Malformed(f"Unknown parameter: '{name}'.", name)
    for name in required:
        if not form.get(name):
            raise check.Malformed(f"Missing required parameter: '{name}'.", name)
