"""How events look: one line each, for a person or as JSON. Built when a command starts, never at import."""

import contextlib
import json
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO, cast

import structlog
from structlog.typing import FilteringBoundLogger

_COLOURS = {"error": "31", "warning": "33", "info": "32"}
_EVENT_WIDTH = 10
_WEIGHTS = ("debug", "info", "warning", "error")


class Threshold:
    """From which weight on events are said; may change while the command runs."""

    def __init__(self) -> None:
        self._level = "info"

    def set(self, level: str) -> None:
        """Take one of the installation's `log.level`."""
        self._level = level.lower()

    def __call__(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Drop what weighs less."""
        if _WEIGHTS.index(event["level"]) < _WEIGHTS.index(self._level):
            raise structlog.DropEvent
        return event


class _Unfailing:
    """A stream whose reader may be gone, or its disk full: events are lost then, and nothing ends for that."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write what can be written."""
        with contextlib.suppress(OSError, ValueError):
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Hand on what can be handed on."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def unfailing(stream: TextIO) -> TextIO:
    """Return a stream that takes every event, whatever became of the one behind it."""
    return cast("TextIO", _Unfailing(stream))


def of_a_server() -> None:
    """Let what a server says go to standard output, one JSON object a line."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(unfailing(sys.stdout)),
    )


def to_stdout(form: str, threshold: Threshold | None = None) -> FilteringBoundLogger:
    """Make a logger of `form` `text` or `json`. Text has colours on a terminal."""
    text = form == "text"
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(unfailing(sys.stdout)),
        processors=[
            structlog.processors.add_log_level,
            threshold or Threshold(),
            structlog.processors.TimeStamper(fmt="%H:%M:%S" if text else "iso", utc=not text, key="ts"),
            _Text(coloured=sys.stdout.isatty()) if text else _json,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(0),
        cache_logger_on_first_use=True,
    )
    return logger


def _json(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    first = {name: event.pop(name) for name in ("ts", "level", "event")}
    return json.dumps({**first, **event}, ensure_ascii=False, default=str)


class _Text:
    """`12:31:05  accepted    ModelRoute team-web/chat: spec.primary.model a -> b (61 ms)`."""

    def __init__(self, *, coloured: bool) -> None:
        self._coloured = coloured

    def __call__(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
        time, level, name = event.pop("ts"), event.pop("level"), event.pop("event")
        what, milliseconds = event.pop("what", ""), event.pop("ms", None)
        word = f"{name:<{_EVENT_WIDTH}}"
        if self._coloured:
            word = f"\x1b[{_COLOURS.get(level, '0')}m{word}\x1b[0m"
        rest = " ".join(f"{key}={value}" for key, value in event.items() if not (what and key == "region"))
        took = f"({milliseconds} ms)" if milliseconds is not None else ""
        return "  ".join(part for part in (time, word, what, rest, took) if part)
