"""Takes out of a text what must not be written down: addresses, numbers, keys. Pure; linear in the text's length.

It looks at a plain form of the text: digits and letters of other scripts' forms as ASCII's, what is percent-encoded or
escaped as in JSON as what it stands for, without characters that are not seen. What is found there is taken out of the
text itself. Base64 and other encodings are left alone, and so is a secret that looks like none: a name, a sentence.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from itertools import pairwise
from typing import Any


class Kind(StrEnum):
    """What can be taken out."""

    MAIL = "mail"
    PHONE = "phone"
    CARD = "card"
    """Numbers of payment cards: 13 to 19 digits whose check digit is right (Luhn, ISO/IEC 7812-1)."""
    KEY = "key"
    """API keys, tokens, passwords in URLs and assignments, private keys. Always taken out."""


Span = tuple[int, int]

_HOST = re.compile(r"@(?:[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}|\[[0-9A-Fa-f.:]{3,45}\])")
_LOCAL = re.compile(r"(?:[\w.!#$&*+'%~^-]{1,64}|\"[^\"\r\n]{1,64}\")\Z")
_LOCAL_LENGTH = 66
_NUMBER = re.compile(r"[+(]?[0-9](?:[ ()./\u00a0-]{0,3}[0-9])*")
_DATE = re.compile(r"(?<![0-9])(?:19|20)[0-9]{2}[-./](?:0?[1-9]|1[0-2])[-./](?:[0-2]?[0-9]|3[01])(?![0-9])")
_GROUPS = re.compile(r"[0-9](?:[\s()./_,;:|-]{0,8}[0-9])*")
_GROUP = re.compile("[0-9]+")
_TIGHT = frozenset(" ()./_-\u00a0")
"""What stands in a number. Anything else, a tab, the end of a line, a comma, rather stands between numbers."""
_WORDS = (
    r"(?:(?:api|access|account|private)[ _-]?key|secret|token|passw(?:or)?[dt]|passphrase|kennwort|pwd|authorization|"
    r"credential|signature|sig|auth)"
)
_VALUE = r"(?:[^\s\"'&]|&(?![A-Za-z0-9_.-]{1,40}=)|[\"'](?=\w))"
"""A character of a value without quotes: any but a blank, a quote that ends it, and what ends it in a URL's query."""
_KEYS = tuple(
    re.compile(pattern)
    for pattern in (
        # What keys begin with: OpenAI's, Anthropic's, Stripe's, GitHub's, GitLab's, Slack's, Google's, AWS', ...
        r"(?<![A-Za-z0-9])(?:sk|pk|rk|ak|fl|xai|gsk|r8|nvapi|pplx)[-_][A-Za-z0-9_-]{6,}",
        (
            r"(?<![A-Za-z0-9])(?:gh[opsur]|glpat|github_pat|xox[abeoprs]|hf|npm|dop_v1|shpat|whsec|ya29|tgp_v1|hvs|dckr_pat|"
            r"pypi|AGE-SECRET-KEY|SG)[-_.][A-Za-z0-9_.-]{8,}"
        ),
        r"(?<![A-Za-z0-9])(?:(?:AKIA|ASIA|AGPA|AIDA|AROA)[A-Z0-9]{12,}|(?:dapi|AC|SK)[0-9a-f]{32})",
        r"(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{20,}",
        r"(?<![A-Za-z0-9])eyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*){0,2}",
        # After a word that says what follows.
        r"(?i)(?<![A-Za-z])(?:bearer|basic|token)[\"']?(?:\s{1,4}|\s{0,4}[=:]\s{0,4}[\"']?)[A-Za-z0-9._~+/=-]{8,}",
        (
            rf"(?i){_WORDS}[A-Za-z0-9_-]{{0,24}}[\"']?\s{{0,4}}(?:=>|:=|=|:)\s{{0,4}}"
            rf"(?:\"[^\"\r\n]{{0,512}}\"?|'[^'\r\n]{{0,512}}'?|(?:bearer|basic|token)\s{{1,4}}{_VALUE}+|{_VALUE}{{4,}})"
        ),
        rf"(?i)(?<![\w-])--[a-z0-9-]{{0,24}}{_WORDS}\s{{1,4}}{_VALUE}{{4,}}",
        rf"(?i)(?:api[ _-]?key|passwor[dt])(?:\s{{1,4}}is)?\s{{1,4}}(?=[^\s0-9]{{0,64}}[0-9]){_VALUE}{{6,}}",
        rf"(?<![\w-])-u\s{{0,4}}[^\s:]{{1,64}}:{_VALUE}{{3,}}",
        r"(?i)[a-z][a-z0-9+.-]{1,16}://[^\s/:@]{0,256}:[^\s/@]{1,256}@",
    )
)
_PRIVATE = re.compile(r"-{4,5} ?BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}")
_PRIVATE_END = re.compile(r"-{4,5} ?END[A-Z0-9 ]{0,60}-{0,5}")
_ESCAPES = re.compile(r"%[0-9A-Fa-f]{2}(?:%[0-9A-Fa-f]{2}){0,3}|\\+u[0-9A-Fa-f]{4}|\\+[\"/nrt\\]")
_UNSEEN = frozenset({"Cf", "Mn", "Me"})
_SIMPLE = {'"': '"', "/": "/", "n": "\n", "r": "\r", "t": "\t", "\\": "\\"}
_DEPTH = 8
LUHN = range(13, 20)
PHONE = range(8, 16)
_BESIDE_DATE = 7
"""Digits beside a date that are a phone number: those of a place without its code."""
_AMID_LETTERS = 10
"""Digits with a letter next to them that are one."""
_OF_CARD = 3
"""Digits that a card's groups have at least, where commas or lines part them."""
_BESIDE_CARD = 4
"""Digits of what stands beside a card, and so many groups of them: dates, check numbers."""


def redacted(text: str, kinds: Iterable[Kind] = tuple(Kind)) -> str:
    """Return the text with a mark such as `[mail]` in the place of what was found; keys are always taken out."""
    wanted = {*kinds, Kind.KEY}
    plain, places = _plain(text)
    found = sorted((start, end, kind) for kind in wanted for start, end in _FINDERS[kind](plain))
    parts, done = [], 0
    for start, end, kind in _joined(found):
        first, last = places[start], places[end]
        if last <= done:
            continue
        parts.append(text[done : max(done, first)])
        if first >= done:
            parts.append(f"[{kind}]")
        done = last
    return "".join(parts) + text[done:]


def _joined(found: Iterable[tuple[int, int, Kind]]) -> list[tuple[int, int, Kind]]:
    """Join what overlaps, of sorted ones; a phone number in anything else is that."""
    joined: list[tuple[int, int, Kind]] = []
    for start, end, kind in found:
        if joined and start < joined[-1][1]:
            first, last, before = joined[-1]
            joined[-1] = first, max(last, end), kind if before is Kind.PHONE else before
        else:
            joined.append((start, end, kind))
    return joined


def redacted_values(value: Any, kinds: Iterable[Kind] = tuple(Kind), depth: int = _DEPTH) -> Any:
    """Do so for every text in a value of JSON's types, keys of mappings included."""
    if isinstance(value, str):
        return redacted(value, kinds)
    if not isinstance(value, list | dict):
        return value
    if depth <= 0:
        return "[too deep]"
    if isinstance(value, list):
        return [redacted_values(one, kinds, depth - 1) for one in value]
    return {redacted(str(key), kinds): redacted_values(one, kinds, depth - 1) for key, one in value.items()}


def _plain(text: str) -> tuple[str, list[int]]:
    """Return the plain form, and for each of its characters where it begins in the text; one more for the end."""
    letters: list[str] = []
    places: list[int] = []
    done = 0
    for escape in _ESCAPES.finditer(text):
        _add(text, done, escape.start(), letters, places)
        for letter in _unescaped(escape[0]):
            letters.append(_ascii(letter))
            places.append(escape.start())
        done = escape.end()
    _add(text, done, len(text), letters, places)
    places.append(len(text))
    # A character that stands for several begins where it begins; its end is the beginning of the next one.
    return "".join(letters), places


def _add(text: str, start: int, end: int, letters: list[str], places: list[int]) -> None:
    piece = text[start:end]
    if piece.isascii():
        letters.extend(piece)
        places.extend(range(start, end))
        return
    for place, letter in enumerate(piece, start):
        if letter.isascii():
            letters.append(letter)
            places.append(place)
        elif unicodedata.category(letter) not in _UNSEEN:
            letters.append(_ascii(letter))
            places.append(place)


def _ascii(letter: str) -> str:
    """Return one character: the digit or letter of ASCII that it is a form of, else itself."""
    if letter.isascii():
        return letter
    digit = unicodedata.digit(letter, None)
    if digit is not None:
        return str(digit)
    simple = unicodedata.normalize("NFKC", letter)
    if len(simple) == 1:
        return "-" if unicodedata.category(simple) == "Pd" else simple
    return letter


def _unescaped(escape: str) -> str:
    if escape.startswith("%"):
        return bytes.fromhex(escape.replace("%", "")).decode("utf-8", "replace")
    body = escape.lstrip("\\")
    if not body:
        return "\\"
    if body[0] == "u" and len(body) > 1:
        return chr(int(body[1:5], 16))
    return _SIMPLE[body[0]]


def _keys(plain: str) -> Iterator[Span]:
    for pattern in _KEYS:
        for found in pattern.finditer(plain):
            yield found.span()
    begin = _PRIVATE.search(plain)
    while begin:
        end = _PRIVATE_END.search(plain, begin.end())
        yield begin.start(), end.end() if end else len(plain)
        begin = _PRIVATE.search(plain, end.end()) if end else None


def _mails(plain: str) -> Iterator[Span]:
    for host in _HOST.finditer(plain):
        place = host.start()
        behind = max(0, place - _LOCAL_LENGTH)
        if local := _LOCAL.search(plain[behind:place]):
            yield behind + local.start(), host.end()


def _phones(plain: str) -> Iterator[Span]:
    for found in _NUMBER.finditer(plain):
        if found.end() - found.start() < _BESIDE_DATE:
            continue
        start, dated = found.start(), False
        for date in _DATE.finditer(plain, found.start(), found.end()):
            yield from _phones_in(plain, (start, date.start()), dated=True)
            start, dated = date.end(), True
        yield from _phones_in(plain, (start, found.end()), dated=dated)


def _phones_in(plain: str, within: Span, *, dated: bool) -> Iterator[Span]:
    """Yield what is long enough for one number or several, where no date is; one without a gap may be too long."""
    groups: list[Span] = []
    for found in _GROUP.finditer(plain, *within):
        if found.end() - found.start() < PHONE.stop:
            groups.append(found.span())
            continue
        yield from _phone(plain, groups, dated=dated)
        groups = []
    yield from _phone(plain, groups, dated=dated)


def _phone(plain: str, groups: list[Span], *, dated: bool) -> Iterator[Span]:
    if not groups:
        return
    start, end = groups[0][0], groups[-1][1]
    sides = plain[max(0, start - 1) : start], plain[end : end + 1]
    amid = any(side.isalnum() or side == "_" for side in sides)
    least = _AMID_LETTERS if amid else _BESIDE_DATE if dated else PHONE.start
    if sum(last - first for first, last in groups) >= least:
        yield start - (sides[0] in {"+", "("}), end


def _cards(plain: str) -> Iterator[Span]:
    for run in _GROUPS.finditer(plain):
        if run.end() - run.start() >= LUHN.start:
            yield from _cards_in(plain, [group.span() for group in _GROUP.finditer(plain, *run.span())])


def _cards_in(plain: str, groups: list[Span]) -> Iterator[Span]:
    """Yield which groups, one after the other, are a card together, and what beside them may be more of it."""
    loose = [not _TIGHT.issuperset(plain[end:start]) for (_, end), (start, _) in pairwise(groups)]
    digits, ends = "".join(plain[start:end] for start, end in groups), [0]
    sums = _luhn_sums(digits)
    for start, end in groups:
        ends.append(ends[-1] + end - start)
    for first in range(len(groups)):
        short = parted = False
        for last in range(first, len(groups)):
            length = ends[last + 1] - ends[first]
            short |= groups[last][1] - groups[last][0] < _OF_CARD
            parted |= last > first and loose[last - 1]
            if length >= LUHN.stop or (short and parted):
                break
            if length not in LUHN or not _sums_up(sums, ends[first], ends[last + 1]):
                continue
            if len(set(digits[ends[first] : ends[last + 1]])) > 1:
                yield _with_neighbours(plain, groups, loose, (first, last))


def _with_neighbours(plain: str, groups: list[Span], loose: list[bool], card: Span) -> Span:
    first, last = card
    for _ in range(_BESIDE_CARD):
        if first and not loose[first - 1] and groups[first - 1][1] - groups[first - 1][0] <= _BESIDE_CARD:
            first -= 1
        if last + 1 < len(groups) and not loose[last] and groups[last + 1][1] - groups[last + 1][0] <= _BESIDE_CARD:
            last += 1
    start = groups[first][0]
    return start - (plain[start - 1 : start] in {"+", "("}), groups[last][1]


def _luhn_sums(digits: str) -> tuple[list[int], list[int]]:
    """Return sums of all digits before each, once with the even places doubled, once with the odd ones."""
    even, odd = [0], [0]
    for place, digit in enumerate(digits):
        value = int(digit)
        double = 2 * value - 9 * (value > 4)  # noqa: PLR2004 - the sum of its digits
        even.append(even[-1] + (value if place % 2 else double))
        odd.append(odd[-1] + (double if place % 2 else value))
    return even, odd


def _sums_up(sums: tuple[list[int], list[int]], start: int, end: int) -> bool:
    doubled = sums[end % 2]  # the last one is not doubled, the one before is
    return (doubled[end] - doubled[start]) % 10 == 0


def is_card(digits: str) -> bool:
    """Tell whether so many digits could be a card's: not all alike, and the last one is right for the others."""
    if len(digits) not in LUHN or len(set(digits)) == 1:
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 * (value > 9)  # noqa: PLR2004 - the sum of its digits
    return total % 10 == 0


_FINDERS: dict[Kind, Callable[[str], Iterator[Span]]] = {
    Kind.MAIL: _mails,
    Kind.PHONE: _phones,
    Kind.CARD: _cards,
    Kind.KEY: _keys,
}
