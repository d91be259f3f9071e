"""A reader of docs/clients who has installed what its pages name, and lets none of it tell anybody."""

import contextlib
import os
import socket
import subprocess
import threading
from pathlib import Path
from typing import Self

from documents import ROOT, Block
from fairlead.demo.provider import SimulatedProvider

PACKAGES = ROOT / "build" / "clients"
"""Where `make clients` installs them: a Python environment that is an npm folder, too."""
MODEL = "gpt-4o-mini"
PAGES_ADDRESS = "127.0.0.1:8101"
SNIPPET_S = 400
"""A busy machine takes a minute to import some of these packages."""
QUIET = {
    "ANONYMIZED_TELEMETRY": "false",
    "DO_NOT_TRACK": "1",
    "LANGCHAIN_TRACING_V2": "false",
    "LANGSMITH_TRACING": "false",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it asks for a newer list of prices when it is imported
    "LITELLM_TELEMETRY": "False",
    "OTEL_SDK_DISABLED": "true",
}
"""Nothing of these packages tells anybody."""


class DeadEnd:
    """A proxy that lets nobody out, and counts who tried."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.asked: list[str] = []
        self._thread = threading.Thread(target=self._refuse)

    def _refuse(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _ = self._socket.accept()
                with caller:
                    caller.settimeout(10)
                    with contextlib.suppress(OSError):
                        self.asked.append(caller.recv(200).decode(errors="replace").partition("\r")[0])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()


class Reader:
    """Who does what a page says, with the packages that it names."""

    def __init__(self, provider: SimulatedProvider, port: int, way_out: DeadEnd, home: Path) -> None:
        self.provider, self.way_out = provider, way_out
        self._port, self._home = port, home

    def run(self, block: Block) -> str:
        """Run a snippet, and return what it printed."""
        words, suffix = {
            "sh": (["bash", "-eu", "-o", "pipefail"], ".sh"),
            "python": ([str(PACKAGES / "bin" / "python"), "-W", "ignore"], ".py"),
            "js": (["node"], ".mjs"),
        }[block.language]
        # Node looks for packages beside the module, and above; Python for modules: not one that is named as a package.
        snippet = PACKAGES / f"page-{block.page.stem}{suffix}"
        snippet.write_text(block.text.replace(PAGES_ADDRESS, f"127.0.0.1:{self._port}"))
        done = subprocess.run(
            [*words, str(snippet)],
            capture_output=True,
            text=True,
            check=False,
            timeout=SNIPPET_S,
            cwd=self._home,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self._home),
                "HTTP_PROXY": self.way_out.address,
                "HTTPS_PROXY": self.way_out.address,
                "NO_PROXY": "127.0.0.1",
                **QUIET,
            },
        )
        assert done.returncode == 0, f"{block}:\n{done.stdout}\n{done.stderr}"
        return done.stdout
