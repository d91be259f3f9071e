"""Real traffic to replay: arrival times and token counts of a production service, without any text."""

import csv
import gzip
import importlib.resources
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum


class Service(StrEnum):
    """The two services of the trace."""

    CONVERSATION = "conv"
    CODE = "code"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One request of the trace."""

    at_s: float
    """Seconds since the trace began."""
    service: Service
    prompt_tokens: int
    completion_tokens: int


_SCENE_S = 600.0
"""Where the demo's two minutes begin in the hour."""


def hour() -> tuple[Arrival, ...]:
    """Read all requests of the hour in the order of their arrival."""
    packed = importlib.resources.files("fairlead.demo").joinpath("azure_llm_2023/hour.csv.gz").read_bytes()
    return parse(gzip.decompress(packed).decode().splitlines())


def arrivals(*, seconds: float = 120) -> tuple[Arrival, ...]:
    """Return the requests of the demo's two minutes, or of their first `seconds`, in the order of their arrival."""
    return tuple(
        replace(each, at_s=round(each.at_s - _SCENE_S, 3))
        for each in hour()
        if _SCENE_S <= each.at_s < _SCENE_S + seconds
    )


def parse(lines: Iterable[str]) -> tuple[Arrival, ...]:
    """Read lines of CSV, the first of which names the columns."""
    return tuple(
        Arrival(
            at_s=float(row["seconds"]),
            service=Service(row["service"]),
            prompt_tokens=int(row["context_tokens"]),
            completion_tokens=int(row["generated_tokens"]),
        )
        for row in csv.DictReader(lines)
    )
