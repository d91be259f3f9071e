"""Units other than tokens by which providers bill: what a request asks for, what that can be at most, what is likely.

What is counted in the gateway is exact (images that are asked for, characters that are spoken). Of searches the gateway
knows documents and bytes: Cohere bills up to 100 documents as one search, and a document longer than 500 tokens as
several (https://docs.cohere.com/docs/rerank-overview).
"""

from dataclasses import dataclass
from enum import StrEnum


class Unit(StrEnum):
    """What is billed; the letter stands before the number in the words of checks and reports."""

    IMAGE = "i"
    MILLISECOND = "s"
    """Of audio, whose price is one of minutes; asked for are the bytes of its files."""
    CHARACTER = "c"
    SEARCH = "q"


PER = {Unit.IMAGE: 1, Unit.MILLISECOND: 60_000, Unit.CHARACTER: 1_000_000, Unit.SEARCH: 1000}
"""How many of a unit its price is for."""
_BYTES_PER_SECOND = {"reserved": 750, "likely": 2000, "believed": 50}
"""Of audio. 6 kbit/s are the least that Opus has for speech, 16 what telephones and voice messages have; formats that
leave out silence may have less, and none less than its packets' headers, some dozen bytes a second."""
_DOCUMENTS = 100
"""In one search."""
_LONG_DOCUMENT_BYTES = 500
"""A document of 500 tokens has at least as many bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request asks for in units, as its gateway counted it."""

    unit: Unit
    count: int
    """Images, characters, documents, bytes of audio."""
    inputs: int | None = None
    """The most tokens that can go in, where the body's bytes do not say it: of files, and of a query that is read
    with each document."""

    def most(self, body_bytes: int) -> int:
        """Return the units that are reserved: the most that can be billed, and of audio what is usual at most."""
        if self.unit is Unit.MILLISECOND:
            return self._milliseconds("reserved")
        if self.unit is not Unit.SEARCH:
            return self.count
        return max(1, -(-(self.count + body_bytes // _LONG_DOCUMENT_BYTES) // _DOCUMENTS))

    def believed(self, body_bytes: int) -> int:
        """Return the most units that a provider can have counted."""
        return self._milliseconds("believed") if self.unit is Unit.MILLISECOND else self.most(body_bytes)

    def _milliseconds(self, how: str) -> int:
        return -(-self.count * 1000 // _BYTES_PER_SECOND[how])

    @property
    def likely(self) -> int:
        """Return what it is taken for when nobody counted."""
        if self.unit is Unit.MILLISECOND:
            return self._milliseconds("likely")
        return max(1, -(-self.count // _DOCUMENTS)) if self.unit is Unit.SEARCH else self.count
