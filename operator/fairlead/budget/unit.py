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
    CHARACTER = "c"
    SEARCH = "q"


PER = {Unit.IMAGE: 1, Unit.CHARACTER: 1_000_000, Unit.SEARCH: 1000}
"""How many of a unit its price is for."""
LARGEST_IMAGE_TOKENS = 16_384
"""Tokens of an image that is read; no model counts more."""
_DOCUMENTS = 100
"""In one search."""
_LONG_DOCUMENT_BYTES = 500
"""A document of 500 tokens has at least as many bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request asks for in units, as its gateway counted it."""

    unit: Unit
    count: int
    """Images, characters, documents."""

    def most(self, body_bytes: int) -> int:
        """Return the most units that the request can be billed for."""
        if self.unit is not Unit.SEARCH:
            return self.count
        return max(1, -(-(self.count + body_bytes // _LONG_DOCUMENT_BYTES) // _DOCUMENTS))

    @property
    def likely(self) -> int:
        """Return what it is taken for when nobody counted."""
        return max(1, -(-self.count // _DOCUMENTS)) if self.unit is Unit.SEARCH else self.count
