"""Reads samples out of Prometheus' text format as Envoy writes it."""

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass

_LINE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? ([0-9.eE+]+)$")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
_LARGEST = 2.0**63
"""Envoy's counters have 64 bits; stores keep 63."""
_ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One series with its value at the moment."""

    name: str
    labels: Mapping[str, str]
    value: int


def samples(text: str, names: Container[str]) -> Iterator[Sample]:
    """Yield the samples of these names; what is no number that a gateway can have is left out."""
    for line in text.split("\n"):
        match = _LINE.match(line)
        if match is None or match.group(1) not in names:
            continue
        value = _number(match.group(3))
        if value is not None:
            labels = {name: _unescape(escaped) for name, escaped in _LABEL.findall(match.group(2) or "")}
            yield Sample(name=match.group(1), labels=labels, value=value)


def _unescape(value: str) -> str:
    return re.sub(r"\\.", lambda match: _ESCAPES.get(match.group(0), match.group(0)), value)


def _number(text: str) -> int | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return int(value) if value < _LARGEST else None
