"""Real traffic to replay: arrival times and token counts of a production service, without any text."""

import csv
import gzip
import importlib.resources
from collections.abc import Iterable
from dataclasses import dataclass
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


def arrivals(*, seconds: float = 120) -> tuple[Arrival, ...]:
    """Read the requests of the first `seconds` (at most 120) in the order of their arrival."""
    packed = importlib.resources.files("fairlead.demo").joinpath("azure_llm_2023/trace.csv.gz").read_bytes()
    return tuple(each for each in parse(gzip.decompress(packed).decode().splitlines()) if each.at_s < seconds)


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
