"""The gateway's own Lua that signs ids of answers, in the LuaJIT of this process."""

from pathlib import Path
from typing import Any

from lupa import luajit21

from fairlead.envoy import chunk, response_ids

RUNTIME = luajit21.LuaRuntime(encoding=None)
_NAMES = (
    "mac_of",
    "signers_of",
    "signed_id",
    "opened_id",
    "signed_whole",
    "signed_chunk",
    "signed_rest",
    "new_state",
    "renamed",
)
_SOURCE = "\n".join(
    (
        chunk.parts("response_ids", ("names", *response_ids.IDS)),
        chunk.parts("messages", ("spans",)),
        chunk.parts("response_ids", ("answer", "stream")),
    )
)
CONSUMER, TARGET = "team/alice", "openai/eu/gpt"
SECRET = "0123456789abcdef0123456789abcdef"


class Lua:
    """Signs for a folder of secrets."""

    def __init__(self, folder: Path, **secrets: str) -> None:
        (folder / "ids").mkdir(exist_ok=True)
        for key, value in secrets.items():
            (folder / "ids" / key).write_text(f"{value}\n")
        source = _SOURCE.replace("@credentials_dir@", str(folder))
        self.functions = RUNTIME.execute(
            (source + f"\nreturn {{{', '.join(f'{name}={name}' for name in _NAMES)}}}").encode()
        )
        self.signers = self.call("signers_of", "openai," + ",".join(f"ids/{key}" for key in secrets))

    def call(self, name: str, *arguments: Any) -> Any:
        words = [one.encode() if isinstance(one, str) else one for one in arguments]
        found = self.functions[name.encode()](*words)
        return found.decode() if isinstance(found, bytes) else found

    def sign(self, raw: str, consumer: str = CONSUMER, target: str = TARGET) -> str | None:
        found: str | None = self.call("signed_id", self.signers, consumer, target, raw)
        return found

    def open(self, text: str, consumer: str = CONSUMER) -> tuple[str, str] | None:
        found = self.call("opened_id", self.signers, consumer, text)
        return None if found is None else (found[0].decode(), found[1].decode())

    def state(self, previous: str | None = None) -> Any:
        return self.call("new_state", self.signers, CONSUMER, TARGET, previous)

    def whole(self, body: str, previous: str | None = None) -> str:
        said: str = self.call("signed_whole", body, self.state(previous))
        return said

    def streamed(self, *chunks: bytes) -> bytes:
        state = self.state()
        said = b"".join(self.functions[b"signed_chunk"](state, one) for one in chunks)
        rest: bytes = self.functions[b"signed_rest"](state)
        return said + rest
