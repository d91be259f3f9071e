"""A reader who does what a page of the documentation says, block by block, in a folder and a shell of its own.

What a reader has and the page cannot: the keys (`sk-...`), a provider behind the page's `baseURL`s and behind
`OPENAI_API_KEY`, and free ports.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Self

import yaml
from forks import Forks
from running_up import CREDENTIAL, PATIENCE_S

from documents import ROOT, Block
from fairlead.demo.port import PortClaims
from fairlead.demo.provider import SimulatedProvider

SHELLS = {"sh", "console"}
SAID = {"", "json"}
"""What a command says: looked for in what was said so far, whatever its numbers and blanks are."""
PORT = re.compile(r"(?:127\.0\.0\.1:|-port |--port )(\d{4,5})\b")
ENDED = "[the shell has ended]"
WITHOUT_FILES = re.compile(r"^fairlead (up|init [a-z-]+)$", re.MULTILINE)
"""Where nothing that the page writes says where the gateway listens: usually at `USUAL_PORT`."""
USUAL_PORT = 8101
BLOCK_S = 100
"""What a block may take: some pages compute an hour of traffic, and a busy machine takes its time."""
WELL_KNOWN = ("gpt-4o-mini", "gpt-4o")
"""What the provider serves beside what the page's providers do."""
PROVIDER = re.compile(r'(?<=baseURL: )"https://[^"]+"')


class Reader:
    """Follow the blocks of one page; one that does not do what it says is an `AssertionError` with what was said."""

    def __init__(self, folder: Path, blocks: list[Block]) -> None:
        self._folder, self._blocks = folder, blocks
        self._said, self._before, self._news = "", 0, threading.Condition()
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        page = self._blocks[0].page
        if (ROOT / "examples") in page.parents:
            shutil.copytree(page.parent, self._folder, dirs_exist_ok=True)
        text = "".join(block.text for block in self._blocks)
        claims = self._stack.enter_context(PortClaims())
        self._ports = claims.claim({int(port) for port in PORT.findall(text)})
        self._provider = self._stack.enter_context(SimulatedProvider(models=_models(self._blocks), keys=(CREDENTIAL,)))
        forks = self._stack.enter_context(Forks(self._folder / ".forks"))
        self._shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail"],
            cwd=self._folder,
            env={
                **os.environ,
                "HOME": str(self._folder),
                "PATH": f"{forks.folder}:{Path(sys.executable).parent}:{os.environ['PATH']}",
                "OPENAI_BASE_URL": self._provider.base_url,
                "OPENROUTER_API_KEY": "",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()
        # A refusal is no answer: a page that shows one says so.
        self._type('curl() { command curl --fail-with-body "$@"; }')
        self._type(f"trap 'echo {ENDED}' EXIT")
        return self

    def __exit__(self, *_: object) -> None:
        assert self._shell.stdin
        assert self._shell.stdout
        # Also those that the page left in the background; they end as by Ctrl-C.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._shell.pid, signal.SIGTERM)
        self._listener.join(PATIENCE_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._shell.pid, signal.SIGKILL)
        self._shell.wait()
        self._listener.join()
        with contextlib.suppress(BrokenPipeError):
            self._shell.stdin.close()
        self._shell.stdout.close()
        self._stack.close()

    def read(self) -> None:
        """Do what the page says, from its first block to its last."""
        for block in self._blocks:
            if block.here:
                self._follow(block)
        assert not self._provider.control.stats().problems, "the gateway sent what a real provider refuses"

    def _follow(self, block: Block) -> None:
        text = self._adapted(block)
        if block.file:
            path = self._folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        elif block.language in SHELLS:
            self._run(block, text)
        elif block.language == "python":
            self._run(block, f"python {self._written(block, text)}\n")
        elif block.language == "promql":
            _judge(text, self._written(block, ""))
        else:
            assert block.language in SAID, f"{block}: nothing runs `{block.language}`; mark it, with the reason"
            for line in text.splitlines():
                assert _plain(line) in _plain(self._said), f"{block}: nobody said {line!r}:\n{self._said}"

    def _adapted(self, block: Block) -> str:
        """Return a block with what this reader has: ports, keys, a provider."""
        text = block.text
        for wanted, free in self._ports.items():
            text = re.sub(rf"\b{wanted}\b", str(free), text)
        text = WITHOUT_FILES.sub(rf"\g<0> --port {self._ports.get(USUAL_PORT, USUAL_PORT)}", text)
        return PROVIDER.sub(f'"{self._provider.base_url}"', text).replace("sk-...", CREDENTIAL)

    def _written(self, block: Block, text: str) -> Path:
        """Write a file beside those of the page."""
        path = self._folder / f"block-{block.line}-{len(text)}"
        path.write_text(text)
        return path

    def _run(self, block: Block, text: str) -> None:
        source = self._written(block, text)
        self._before = len(self._said)
        end = f"[end of {block.line}: "
        if block.goes_on:
            self._type(f"( trap 'echo \"{end}$?]\"' EXIT; . {source} </dev/null ) &")
        else:
            self._type(f". {source} </dev/null; echo '{end}0]'")
        self._wait(block, block.goes_on or f"{end}0]")

    def _type(self, line: str) -> None:
        assert self._shell.stdin
        self._shell.stdin.write(f"{line}\n")
        self._shell.stdin.flush()

    def _wait(self, block: Block, words: str) -> None:
        """Read on until these words are said after what was said before; fail when the block ended otherwise."""
        end = f"[end of {block.line}: "

        def said() -> str:
            return self._said[self._before :]

        def decided() -> bool:
            return words in said() or end in said() or ENDED in said()

        with self._news:
            self._news.wait_for(decided, BLOCK_S)
            assert words in said(), f"{block} does not do what it says:\n{block.text}\nbut\n{self._said}"

    def _listen(self) -> None:
        assert self._shell.stdout
        for line in self._shell.stdout:
            with self._news:
                self._said += line
                self._news.notify_all()


def _models(blocks: list[Block]) -> tuple[str, ...]:
    """Return the ids on the wire of all models that the page's providers have."""
    documents: list[Any] = [one for block in blocks if block.file for one in yaml.safe_load_all(block.text)]
    providers = [one for one in documents if isinstance(one, dict) and one.get("kind") == "ModelProvider"]
    named = (model.get("id", model["name"]) for one in providers for model in one["spec"]["models"])
    return tuple(dict.fromkeys((*named, *WELL_KNOWN)))


def _plain(text: str) -> str:
    """Leave out what differs from run to run: numbers, and how columns are filled."""
    return re.sub(r"\s+", " ", re.sub(r"\d+", "#", text))


def _judge(text: str, path: Path) -> None:
    """Let Prometheus' own tool judge the expressions, one a line; skipped where it is not installed."""
    if shutil.which("promtool") is None:
        return
    rules = [{"record": f"line:{number}", "expr": line} for number, line in enumerate(text.splitlines())]
    path.write_text(yaml.safe_dump({"groups": [{"name": "page", "rules": rules}]}))
    run = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr
