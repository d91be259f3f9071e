"""What became of a field of an object, in the order in which it did."""

import threading
from typing import Self

from harness.kubectl import Kubectl

_ENDS_WITHIN_S = 10


class Watch:
    """The values of a JSONPath of one object, from `with` to its end, each as often as it changed."""

    def __init__(self, kubectl: Kubectl, kind: str, name: str, namespace: str, path: str) -> None:
        self._words = ("get", kind, name, "-n", namespace, "--watch", "-o", f'jsonpath={path}{{"\\n"}}')
        self._kubectl = kubectl
        self.seen: list[str] = []

    def __enter__(self) -> Self:
        self._process = self._kubectl.start(*self._words)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                if self.seen[-1:] != [line.strip()]:
                    self.seen.append(line.strip())

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(_ENDS_WITHIN_S)
        self._reader.join(_ENDS_WITHIN_S)
