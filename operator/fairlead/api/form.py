"""The forms that a scalar or a list may have: patterns, bounds, the words for what is wanted.

Each is an annotation that carries everything: pydantic enforces it, the CRD states it, `decode` words it. No number is
a float and no string is coerced. Patterns are in the subset that RE2, Rust's regex and Python's `re` read alike.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, Strict
from pydantic_core import CoreSchema, core_schema

from fairlead.api import quantity
from fairlead.api.rule import Rule
from fairlead.api.timezone import TIME_ZONES

INT32_MAX = 2**31 - 1
INT64_MAX = 2**63 - 1
LITERAL_BYTES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A string: its pattern, its length in characters, and how a person would say what is wanted."""

    pattern: str
    want: str
    max_length: int
    min_length: int = 1
    quiet: bool = False
    """Never repeated in a message: people paste credentials where the name of a Secret belongs."""
    refused: str = ""
    """A pattern of the characters that stand nowhere in it: a message names the first one."""
    rules: tuple[Rule, ...] = ()

    def __get_pydantic_core_schema__(self, _source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.str_schema(
            strict=True, pattern=self.pattern, min_length=self.min_length, max_length=self.max_length
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A whole number between two bounds, both included."""

    minimum: int
    maximum: int = INT32_MAX

    @property
    def want(self) -> str:
        """The bounds in few words; the largest number that the API can store is no bound to tell a person."""
        unbounded = self.maximum in (INT32_MAX, INT64_MAX)
        return (
            f"a whole number of at least {self.minimum}"
            if unbounded
            else f"a whole number from {self.minimum} to {self.maximum}"
        )

    def __get_pydantic_core_schema__(self, _source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.int_schema(strict=True, ge=self.minimum, le=self.maximum)


class ListType(StrEnum):
    """How server-side apply merges a list, and which duplicates it refuses."""

    ATOMIC = "atomic"
    SET = "set"
    MAP = "map"


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """A list: how many entries, what makes two of them the same."""

    max_items: int
    min_items: int = 0
    list_type: ListType = ListType.ATOMIC
    keys: tuple[str, ...] = ()
    """The fields that name an entry of a MAP."""
    absent: str = ""
    """What to do instead of writing an empty list: `leave it out for all`."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        return {**schema, "min_length": self.min_items, "max_length": self.max_items}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entries:
    """A map from strings to strings: how many entries."""

    max_properties: int


def _at_least(duration: str) -> Rule:
    least = quantity.milliseconds(duration)
    return Rule(
        holds=lambda value: quantity.milliseconds(value) >= least,
        cel=f"duration(self) >= duration('{duration}')",
        message=f"want at least `{duration}`, raise it",
    )


def _at_most(duration: str) -> Rule:
    most = quantity.milliseconds(duration)
    return Rule(
        holds=lambda value: quantity.milliseconds(value) <= most,
        cel=f"duration(self) <= duration('{duration}')",
        message=f"want at most `{duration}`, lower it",
    )


def _is_time(value: str) -> bool:
    try:
        return quantity.unix_seconds(value) > quantity.unix_seconds("0001-01-02T00:00:00Z")
    except (ValueError, OverflowError):
        return False


def _text(pattern: str, want: str, max_length: int, *rules: Rule, min_length: int = 1, quiet: bool = False) -> Text:
    return Text(pattern=pattern, want=want, max_length=max_length, min_length=min_length, rules=rules, quiet=quiet)


def _rule(holds: Callable[[Any], bool], cel: str | None, message: str) -> Rule:
    return Rule(holds=holds, cel=cel, message=message)


LABEL_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
_SUBDOMAIN_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
_CONTROLS = r"\x00-\x1f\x7f-\x9f"
_NO_CONTROLS = rf"[{_CONTROLS}\ud800-\udfff]"
_NO_CONTROLS_NO_STAR = rf"[*{_CONTROLS}\ud800-\udfff]"
"""Half a character of UTF-16 is none, and cannot be sent."""
_MODEL_PATTERN = rf"^[^ *{_CONTROLS}]([^*{_CONTROLS}]*[^ *{_CONTROLS}])?$"
_DURATION_PATTERN = r"^([0-9]{1,5}(h|m|s|ms)){1,4}$"
_DURATION_WANT = "a duration in `h`, `m`, `s` or `ms`, such as `10s` or `1h30m`"
_PERCENT_WANT = "a percentage with at most two decimals, such as `5%` or `0.25%`"
LABEL_WANT = "a DNS label: at most 63 lower case letters, digits and `-`, such as `team-web`"

Name = Annotated[str, _text(LABEL_PATTERN, LABEL_WANT, 63)]
"""The name of an object, an endpoint or a region."""

Flag = Annotated[bool, Strict()]
"""True or false; a string or a number is neither."""

Literal = Annotated[
    str,
    Text(
        pattern=rf"^[^{_CONTROLS}]+$",
        want="a text of 1 to 64 bytes without controls",
        max_length=64,
        refused=_NO_CONTROLS,
        rules=(
            Rule(
                holds=lambda value: len(value.encode(errors="surrogatepass")) <= LITERAL_BYTES,
                cel=f"bytes(self).size() <= {LITERAL_BYTES}",
                message=f"want at most {LITERAL_BYTES} bytes of UTF-8, shorten it",
            ),
        ),
    ),
]
"""What is looked for in a text."""

RouteReference = Annotated[
    str,
    _text(
        r"^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?/)?[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$",
        "the name of a ModelRoute, or `namespace/name`",
        127,
    ),
]
"""A route of the same namespace, or `namespace/name`."""

SecretName = Annotated[
    str, _text(_SUBDOMAIN_PATTERN, "the name of a Secret: lower case letters, digits, `-` and `.`", 253, quiet=True)
]

SecretEntry = Annotated[
    str,
    # Two dots in front are refused, as in Kubernetes: the key becomes a file name.
    _text(
        r"^([-_a-zA-Z0-9]|[.][-_a-zA-Z0-9])[-._a-zA-Z0-9]*$",
        "a key of the Secret: letters, digits, `-`, `_` and `.`, such as `apiKey`",
        253,
        quiet=True,
    ),
]

_MODEL_LENGTH = 128

ModelName = Annotated[
    str,
    Text(
        pattern=_MODEL_PATTERN,
        want="a model name, such as `qwen/qwen3-32b`: any characters but `*` and controls, no blank at its ends",
        max_length=_MODEL_LENGTH,
        refused=_NO_CONTROLS_NO_STAR,
    ),
]
"""A name of a catalogue. Without `*`, which stands for the rest of a name where routes and consumers list names."""

ModelId = Annotated[
    str,
    Text(
        pattern=rf"^[^ {_CONTROLS}]([^{_CONTROLS}]*[^ {_CONTROLS}])?$",
        want="a model's id, such as `Qwen/Qwen3-32B`: any characters but controls, no blank at its ends",
        max_length=_MODEL_LENGTH,
        refused=_NO_CONTROLS,
    ),
]
"""A model's name on the wire, as its provider has it."""

ModelNamePattern = Annotated[
    str,
    Text(
        pattern=rf"^([^ *{_CONTROLS}]([^*{_CONTROLS}]*[^ *{_CONTROLS}])?|([^ *{_CONTROLS}][^*{_CONTROLS}]*)?[*])$",
        want="a model name, a prefix with one `*` at its end such as `qwen/*`, or `*`",
        max_length=_MODEL_LENGTH,
        refused=_NO_CONTROLS,
    ),
]

Duration = Annotated[str, _text(_DURATION_PATTERN, _DURATION_WANT, 24, _at_least("1ms"))]
"""A duration by GEP-2257, longer than zero."""

ShortDuration = Annotated[str, _text(_DURATION_PATTERN, _DURATION_WANT, 24, _at_least("100ms"))]
"""A duration of at least a tenth of a second."""

LongDuration = Annotated[str, _text(_DURATION_PATTERN, _DURATION_WANT, 24, _at_least("1s"))]
"""A duration of at least a second."""

KeepingDuration = Annotated[str, _text(_DURATION_PATTERN, _DURATION_WANT, 24, _at_least("1s"), _at_most("8784h"))]
"""A duration of at least a second and at most 366 days: what is kept so long is kept for good."""

Percent = Annotated[str, _text(r"^[0-9]{1,4}([.][0-9]{1,2})?%$", _PERCENT_WANT, 8)]
"""A percentage that may pass 100%."""

Share = Annotated[
    str,
    _text(
        r"^[0-9]{1,4}([.][0-9]{1,2})?%$",
        _PERCENT_WANT,
        8,
        _rule(
            lambda value: quantity.basis_points(value) <= quantity.basis_points("100%"),
            "double(self.substring(0, self.size() - 1)) <= 100.0",
            "want at most `100%`, lower it",
        ),
    ),
]
"""A part of a whole: at most 100%."""

PositiveShare = Annotated[
    str,
    _text(
        r"^[0-9]{1,4}([.][0-9]{1,2})?%$",
        _PERCENT_WANT,
        8,
        _rule(
            lambda value: 0 < quantity.basis_points(value) <= quantity.basis_points("100%"),
            "double(self.substring(0, self.size() - 1)) > 0.0 && double(self.substring(0, self.size() - 1)) <= 100.0",
            "want more than `0%` and at most `100%`, change it",
        ),
    ),
]
"""A part of a whole that is there: above 0%, at most 100%."""

Logprob = Annotated[
    str,
    _text(
        r"^(0|-[0-9]{1,3}([.][0-9]{1,6})?)$",
        'a logarithm of a probability in quotes, at most 0, such as `"-1.5"`',
        11,
    ),
]

Dollars = Annotated[
    str,
    _text(
        r"^[0-9]{1,9}([.][0-9]{1,9})?$",
        'dollars in quotes, such as `"5.00"`, with at most nine decimals',
        24,
    ),
]

Time = Annotated[
    str,
    _text(
        r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,9})?"
        r"(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$",
        'an RFC 3339 time in quotes, such as `"2026-12-31T23:59:59Z"`',
        40,
        _rule(
            _is_time,
            "timestamp(self) > timestamp('0001-01-02T00:00:00Z')",
            "want a date that exists, correct it",
        ),
    ),
]
"""An RFC 3339 time. Without OpenAPI's `format: date-time`, since with it the API server takes a list for a string."""

TimeZone = Annotated[
    str,
    _text(
        r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$",
        "a name of the IANA time zone database, such as `Europe/Berlin`",
        64,
        _rule(
            lambda value: value in TIME_ZONES,
            "timestamp('2026-01-01T00:00:00Z').getFullYear(self) > 2000 && self != 'Local'",
            "want a name of the IANA time zone database, such as `Europe/Berlin`, correct it",
        ),
    ),
]

LabelKey = Annotated[
    str,
    _text(
        r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$",
        "a label key, such as `tier` or `example.com/tier`",
        316,
    ),
]

LabelValue = Annotated[
    str,
    _text(
        r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$",
        "a label value: at most 63 letters, digits, `-`, `_` and `.`",
        63,
        min_length=0,
    ),
]

AnnotationValue = Annotated[str, _text(r"(?s)^.*$", "a string", 262144, min_length=0)]
"""Any string that an annotation may hold."""

ConditionReason = Annotated[
    str, _text(r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$", "one word in CamelCase, such as `Accepted`", 128)
]

ConditionMessage = Annotated[str, _text(r"(?s)^.*$", "one line", 32768, min_length=0)]

Digest = Annotated[str, _text(r"^[0-9a-f]*$", "hexadecimal digits", 64)]

Summary = Annotated[str, _text(r"(?s)^.*$", "one line", 4096, min_length=0)]

TargetName = Annotated[str, _text(r"(?s)^.*$", "`provider/endpoint/model`", 256)]

QualifiedName = Annotated[str, _text(r"(?s)^.*$", "`namespace/name`", 128)]
