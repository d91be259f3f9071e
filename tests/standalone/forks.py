"""A folder for PATH, whose `fairlead` and `python -m fairlead.demo.provider` are forks of what has loaded them.

A shell calls them as it calls those that are installed: they have its files, folder and variables, take its signals,
and end with the command's exit code. Loading is most of what a start takes (see `preloaded`).
"""

import contextlib
import json
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Self

import preloaded

CALLER = """#!{python} -IS
import json, os, signal, socket, sys
words = {words}
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asked:
    asked.connect({path!r})
    what = {{"words": words, "environment": dict(os.environ), "cwd": os.getcwd()}}
    socket.send_fds(asked, [json.dumps(what).encode()], [0, 1, 2])
    pid = int(asked.recv(99))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda number, _: os.kill(pid, number))
    code = int(asked.recv(99))
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
sys.exit(code)
"""
"""What stands in the folder: it asks for a fork, hands on signals, and waits."""
PYTHON = """sys.argv[1:]
if tuple(words[:{count}]) != {provider!r}:
    os.execv({python!r}, [{python!r}, *words])"""
"""Another `python` is the interpreter itself."""


class Forks:
    """The folder, and who answers those that are called in it. What still runs when it is closed is ended."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        address = str(folder / "socket")
        python = PYTHON.format(count=len(preloaded.PROVIDER), provider=preloaded.PROVIDER, python=sys.executable)
        for name, words in (("fairlead", "sys.argv[1:]"), ("python", python)):
            path = folder / name
            path.write_text(CALLER.format(python=sys.executable, words=words, path=address))
            path.chmod(0o755)
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._door.bind(address)
        self._door.listen()
        self._threads = [threading.Thread(target=self._open)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._door.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        for thread in self._threads[1:]:
            thread.join()
        self._door.close()

    def _open(self) -> None:
        with contextlib.suppress(OSError):  # it is shut
            while True:
                caller, _ = self._door.accept()
                thread = threading.Thread(target=self._serve, args=(caller,))
                self._threads.append(thread)
                thread.start()

    @staticmethod
    def _serve(caller: socket.socket) -> None:
        """Run what a caller asks for; end it when the caller is gone, since nobody waits for it."""
        with caller:
            content, files, _, _ = socket.recv_fds(caller, preloaded.MOST_BYTES, 3)
            try:
                asked = json.loads(content)
                process = preloaded.parent().start_with_files(
                    asked["words"], files, environment=asked["environment"], cwd=Path(asked["cwd"])
                )
            finally:
                for file in files:
                    os.close(file)
            with contextlib.suppress(OSError):
                caller.send(str(process.pid).encode())
            gone = threading.Thread(target=_kill_when_gone, args=(caller, process))
            gone.start()
            code = process.wait()
            with contextlib.suppress(OSError):
                caller.send(str(code).encode())
            caller.shutdown(socket.SHUT_RD)
            gone.join()


def _kill_when_gone(caller: socket.socket, process: preloaded.Forked) -> None:
    """A caller says nothing more; its end is the end of its connection."""
    with contextlib.suppress(OSError):
        caller.recv(1)
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
