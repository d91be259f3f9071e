"""Forms, and what is counted of other requests than chat, on a real Envoy: which bytes change, what is refused."""

import json
from collections.abc import Iterator

import pytest
from echo import Echo
from filter_gateway import DIRECTORY, ODD, Answer, Client, bootstrap
from gateway import EnvoyProcess

from fairlead.envoy import directory
from fairlead.ir import word

pytestmark = pytest.mark.envoy
FORM = "/v1/audio/transcriptions"
ENTRIES = {
    directory.BUDGETS: "1",
    "b:team/alice": "r *",
    "n:team|w": "team/chat Transcription - whisper whisper-last api/us/w",
    "n:team|both": "team/chat Audio - both both api/us/both",
    "n:team|img": f"team/chat Image - {word.encode(ODD)} last api/us/img",
    "n:team|tts": "team/chat Speech - tts tts api/us/tts",
    "n:team|rank": "team/chat Rerank - rank rank api/us/rank",
}
SOUND = b"\x00\xff\r\n--\r\n-B--\n--b\r" + bytes(range(256))


@pytest.fixture(scope="module")
def form_port() -> Iterator[int]:
    with Echo() as echo, EnvoyProcess(bootstrap(echo_port=echo.port, directory={**DIRECTORY, **ENTRIES})) as envoy:
        yield envoy.port("in")


@pytest.fixture
def caller(form_port: int) -> Iterator[Client]:
    with Client(form_port) as caller:
        yield caller


def field(name: str, value: str | bytes, more: str = "", headers: str = "") -> bytes:
    value = value if isinstance(value, bytes) else value.encode()
    return f'--B\r\nContent-Disposition: form-data; name="{name}"{more}\r\n{headers}\r\n'.encode() + value + b"\r\n"


FILE = field("file", SOUND, '; filename="a b.mp3"', "Content-Type: audio/mpeg\r\n")
W, END = field("model", "w"), b"--B--\r\n"
FIRST = field("model", "whisper")


def send(caller: Client, body: bytes, path: str = FORM, kind: str = "multipart/form-data; boundary=B") -> Answer:
    return caller.send("POST", path, body, content_type=kind)


@pytest.mark.parametrize(
    ("sent", "forwarded"),
    [
        (W + FILE + END, FIRST + FILE + END),
        (FILE + W + END, FIRST + FILE + END),
        (FILE + W + field("language", "en") + END, FIRST + FILE + field("language", "en") + END),
        (FILE + W + b"--B--", FIRST + FILE + b"--B--"),
        (
            field("include[]", "a") + field("include[]", "b") + W + FILE + END,
            FIRST + field("include[]", "a") + field("include[]", "b") + FILE + END,
        ),
        (W + field("stream", "true") + FILE + END, FIRST + field("stream", "true") + FILE + END),
        (field("model", "w", headers="Content-Type: text/plain; charset=utf-8\r\n") + FILE + END, FIRST + FILE + END),
        (field("model", "w", headers="Content-Length: 1\r\n") + FILE + END, FIRST + FILE + END),
        (
            W + FILE.replace(b"a b.mp3", "ü 1.mp3".encode()) + END,
            FIRST + FILE.replace(b"a b.mp3", "ü 1.mp3".encode()) + END,
        ),
        (W + field("file", SOUND, "; filename*=utf-8''%C3%BC.mp3") + END, None),
    ],
)
def test_the_model_comes_first_and_the_rest_keeps_its_bytes(
    caller: Client, sent: bytes, forwarded: bytes | None
) -> None:
    answer = send(caller, sent)
    assert answer.forwarded == (forwarded or sent.replace(W, FIRST))
    assert answer.head["content-type"] == "multipart/form-data; boundary=B"
    assert answer.head["content-length"] == str(len(answer.forwarded))
    assert answer.metadata["stream"] == str(b'"stream"' in sent).lower()


def test_a_model_with_everything_in_its_name(caller: Client) -> None:
    answer = send(
        caller, field("image", b"\x89PNG", '; filename="a.png"') + field("model", "img") + END, "/v1/images/edits"
    )
    assert answer.forwarded == field("model", ODD) + field("image", b"\x89PNG", '; filename="a.png"') + END


@pytest.mark.parametrize(
    ("body", "code", "why"),
    [
        (b"", "invalid_form", "nothing"),
        (b"\r\n" + W + END, "invalid_form", "a preamble"),
        (b"x\r\n" + W + END, "invalid_form", "a preamble"),
        (W + END + b"x", "invalid_form", "an epilogue"),
        (W + FILE, "invalid_form", "no end"),
        (W[:-2] + END, "invalid_form", "no CRLF before a boundary"),
        ((W + FILE + END).replace(b"\r\n", b"\n"), "invalid_form", "LF alone"),
        (W + field("x", b"a\n--B\n" + W.removeprefix(b"--B\r\n")[:-2]) + END, "invalid_form", "a boundary behind LF"),
        (W + field("x", b"--B") + END, "invalid_form", "a boundary in a content"),
        (W + field("x", b"--Bx") + END, "invalid_form", "one that only begins so"),
        (W.replace(b"--B\r\n", b"--B \r\n") + END, "invalid_form", "padding"),
        (W + W + END, "invalid_json", "the model twice"),
        (W + field("Model", "chat") + END, "invalid_json", "another case"),
        (W + field("model[]", "chat") + END, "invalid_json", "as a list"),
        (W + field("mod_el", "chat") + END, "invalid_json", "in a disguise"),
        (field("model", "w", '; filename="a"') + END, "invalid_form", "the model as a file"),
        (field("model", "w", "; filename*=utf-8''a") + END, "invalid_form", "the model as a file"),
        (field("model", "w", headers="Content-Type: application/json\r\n") + END, "invalid_form", "another type"),
        (
            field("model", "w", headers="Content-Type: text/plain; charset=utf-16\r\n") + END,
            "invalid_form",
            "a charset",
        ),
        (W + field("_charset_", "utf-16") + END, "invalid_form", "a charset for all"),
        (field("model", "w", headers="Content-Transfer-Encoding: base64\r\n") + END, "invalid_form", "an encoding"),
        (field("model", "w", headers="Content-Length: 2\r\n") + END, "invalid_form", "another length"),
        (field("model", "w", headers="X-A: b\r\n") + END, "invalid_form", "a header that is not known"),
        (W.replace(b"; name", b";\r\n name") + END, "invalid_form", "a folded header"),
        (W.replace(b'"model"', b'"mo\\del"') + END, "invalid_form", "an escape"),
        (W.replace(b'"model"', b'"a"; name="model"') + END, "invalid_form", "two names"),
        (W.replace(b'name="model"', b"name*=utf-8''model") + END, "invalid_form", "a name in a charset"),
        (W + field("x", "a", '; filename="a; name=model"') + END, "invalid_form", "a name in a file's name"),
        (
            W.replace(b"Content-Disposition", b"Content-Disposition : a\r\nContent-Disposition") + END,
            "invalid_form",
            "two",
        ),
        (b"--B\r\n\r\nw\r\n" + END, "invalid_form", "no headers"),
        (W + b"".join(field(f"f{n}", "1") for n in range(64)) + END, "invalid_form", "too many parts"),
        (field("model", "w", headers="Content-Type: " + "a" * 3000 + "\r\n") + END, "invalid_form", "long headers"),
        (FILE + END, "missing_model", "no model"),
        (field("model", "") + END, "invalid_model", "an empty one"),
        (field("model", b"\xff") + END, "invalid_model", "no UTF-8"),
        (field("model", "a\tb") + END, "invalid_model", "a control"),
        (field("model", "w" * 2000) + END, "invalid_form", "a long one"),
        (W + field("stream", "True") + END, "invalid_stream", "what some read as true"),
        (W + field("n", "2.0") + END, "invalid_n", "no whole number"),
        (W + field("n", "1" * 16) + END, "invalid_number", "too long"),
        (W + field("fallbacks", "x") + END, "unsupported_parameter", "what steers"),
        (W + field("service_tier", "priority") + END, "unsupported_parameter", "another price"),
        (W + field("extra_body", "{}") + END, "unsupported_parameter", "another price, by any of its names"),
        (field("model", "gone") + END, "model_not_found", "unknown"),
        (field("model", "chat") + END, "unsupported_endpoint", "of chat"),
        (field("model", "tts") + END, "unsupported_endpoint", "of speech"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(caller: Client, body: bytes, code: str, why: str) -> None:
    path = "/v1/images/edits" if code == "invalid_n" else FORM
    answer = send(caller, body.replace(b"\r\nw\r\n", b"\r\nimg\r\n") if code == "invalid_n" else body, path)
    assert answer.error["code"] == code, why


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "multipart/form-data",
        "multipart/mixed; boundary=B",
        "multipart/form-data; boundary=B; boundary=C",
        "multipart/form-data; boundary=B; charset=utf-16",
        'multipart/form-data; boundary="B C"',
        "multipart/form-data; boundary=" + "B" * 71,
        "multipart/form-data; boundary=",
    ],
)
def test_another_type_is_refused(caller: Client, kind: str) -> None:
    assert send(caller, W + END, kind=kind).error["code"] == "unsupported_media_type"


def test_a_boundary_in_quotes_is_one(caller: Client) -> None:
    answer = send(caller, W + FILE + END, kind='Multipart/Form-Data ;boundary="B"')
    assert answer.head["content-type"] == "multipart/form-data; boundary=B"


@pytest.mark.parametrize(
    ("path", "body", "ask"),
    [
        (FORM, W + FILE + END, f"s{len(SOUND)}.{len(W + FILE + END) - len(SOUND) + -(-len(SOUND) // 32)} 1"),
        (
            "/v1/images/edits",
            (edit := field("model", "img") + field("n", "3") + field("image", b"12345", '; filename="a"') + END),
            f"i3.{len(edit) - 5 + 16384} 3",
        ),
        ("/v1/images/generations", {"model": "img", "n": 4}, "i4 4"),
        ("/v1/images/generations", {"model": "img"}, "i1 1"),
        ("/v1/audio/speech", '{"model":"tts","input":"é\\u00e9\\ud83d\\ude00\\n\\\\\\\\u😀 "}', "c9 1"),
        ("/v1/rerank", {"model": "rank", "documents": ["a,[", {"text": "]"}, "{"]}, "q3 1"),
        ("/v1/rerank", {"model": "rank", "documents": []}, "q0 1"),
        (
            "/v1/rerank",
            (ranked := '{"model":"rank","query":"boats","documents":["a","b","c"]}'),
            f"q3.{len(ranked) + 2 * 7} 1",  # its two quotes, too
        ),
        ("/v1/rerank", {"model": "rank", "query": "boats", "documents": ["a"]}, "q1 1"),
    ],
)
def test_what_is_asked_for_is_counted(
    caller: Client, path: str, body: bytes | dict[str, object] | str, ask: str
) -> None:
    if isinstance(body, bytes):
        assert send(caller, body, path).ask == ask
    else:
        assert caller.post(body if isinstance(body, str) else json.dumps(body), path).ask == ask


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/v1/audio/speech", {"model": "tts", "input": 7}, "input"),
        ("/v1/audio/speech", {"model": "tts", "input": ["a" * 100]}, "input"),
        ("/v1/audio/speech", {"model": "tts", "text": "a" * 100}, "input"),
        ("/v1/rerank", {"model": "rank", "query": "a", "texts": ["b"] * 200}, "documents"),
        ("/v1/rerank", {"model": "rank", "query": "a", "documents": {"a": "b"}}, "documents"),
    ],
)
def test_what_cannot_be_counted_is_refused(caller: Client, path: str, body: dict[str, object], param: str) -> None:
    answer = caller.post(json.dumps(body), path)
    assert (answer.status, answer.error["code"], answer.error["param"]) == (400, "invalid_type", param)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        (field("url", "https://example.com/a.mp3"), "url"),
        (FILE + field("url", "https://example.com/a.mp3"), "url"),
        (field("file", "A" * 1000), "file"),
        (field("file", b"", '; filename="a"'), "file"),
        (b"", "file"),
    ],
)
def test_audio_that_is_no_file_of_the_form_cannot_be_counted(caller: Client, fields: bytes, param: str) -> None:
    answer = send(caller, W + fields + END)
    assert (answer.status, answer.error["code"], answer.error["param"]) == (400, "invalid_type", param)
