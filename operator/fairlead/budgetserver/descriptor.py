"""What a gateway asks and reports, as plain values.

A message carries one descriptor with one entry: its key is `check` or `report`, or one of these with `shadow_` before
it for the copy of a request that goes to its route's shadow. Its value are words with a space between, in the order of
`CHECK` or `SHADOW_CHECK`, or of `REPORT` and then `ATTEMPTS`; a report has two more groups, each behind a `;`: what a
check says of the request's bounds, and `USAGE` (one entry, because each costs both sides more than all the words). A
gateway that keeps answers adds a third: what became of this one, who made it, and `USAGE` when it was made. `-` stands
for what the gateway does not know; what cannot be read as a number is treated the same. Later versions may add words at
the end. No word has a space in it: names have grammars, and the gateway makes the request's id itself.
The last words of a check, and of a report's `ATTEMPTS`, are of leases: `fairlead.budgetserver.lease_words`.
`fairlead.envoy.budgets` writes them; a test holds both against each other.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from fairlead.budget.attempt import Attempt
from fairlead.budget.belief import NOTHING_SAID, Claim
from fairlead.budget.estimate import Ask
from fairlead.budget.unit import Asked, Unit
from fairlead.budgetserver import lease_words
from fairlead.budgetserver.lease_words import Want

CHECK = ("consumer", "id", "model", "bytes", "route", "limit", "answers", "asked", "stream", "want", "back")
SHADOW_CHECK = ("consumer", "id", "model", "bytes", "route", "target", "limit", "answers")
REPORT = (
    *("consumer", "id", "model", "bytes", "route", "reservation", "target"),
    *("stream", "status", "flags", "attempts", "sent", "gateway"),
)
ATTEMPTS = ("wire", "duration", "tried", "failed", "lost", "asked", "cluster", "counts", "back")
"""The words behind those of `REPORT`."""
_BEFORE_LEASES = 3
"""Words of a check behind its limit before those of leases."""
_NO_ATTEMPTS = ("-",) * len(ATTEMPTS)
USAGE = ("status", "input", "output", "cached", "cache_write", "cache_write_1h", "audio_input", "audio_output")
"""The words of the last group; a `-` alone where no provider said anything."""
MORE_USAGE = ("units", "image_input")
"""Words behind those of `USAGE`, which later gateways write where there is something to say: what was made by another
unit than tokens, and the tokens of images."""
ABSENT = "-"
GOES_ON = "+"
"""Behind the number of answers of a request that goes on from an answer which its provider keeps."""
COUNTS_ASKED = "counts-asked"
"""What a gateway counts besides: requests that were moved, by the routes that were asked."""
FREE = "free"
"""What stands for the number of answers of a request that costs nothing."""
NOTHING_RESERVED = "none"
"""The reservation of a request whose check was answered without one: no policy matches its consumer."""
TOO_MANY_IN_FLIGHT = "too_many_in_flight"
"""The code of a refusal for `maxInFlight`, and what the check's answer says of it to the gateway."""
_TRUE, _FALSE = "true", "false"
_COMPLETE, _IMPOSSIBLE = "1", "3"
"""What the gateway's token filter says of a provider's counts."""
_RATE_LIMITED = "RL"
"""Response flag of an answer that this server's own verdict made."""
_REFUSED = 400
_LONGEST_SHOWN = 40
_LONGEST_NUMBER = 15
"""Digits that are believed: a longer number of bytes or tokens is an attack or an accident."""
LONGEST_CHECK = 4096
"""Characters of a check. Names have grammars and numbers 15 digits: a longer one carries what a client made up."""


class OversizedError(ValueError):
    """A check that no gateway makes of an honest request: refused for itself, whatever the `failurePolicy`."""


class Check(NamedTuple):
    """A request wants to go on. A tuple, since it is made on each request: a frozen dataclass sets field by field."""

    consumer: str
    id: str
    """`x-request-id`, made by the gateway."""
    route: str
    model: str
    """As the client asked."""
    body_bytes: int | None
    output_limit: int | None
    choices: int
    free: bool = False
    """Nothing is billed for it: tokens that are counted beforehand."""
    shadow: str = ""
    """The target of the shadow, where a copy of a request wants to go on, not the request."""
    asked_routes: tuple[str, ...] = ()
    """The route that was asked, where a rule of it chose `route` to answer."""
    stream: bool = False
    """No cascade applies."""
    asked: Asked | None = None
    """What it asks for by another unit than tokens: a letter and a number where the limit stands elsewhere."""
    goes_on: bool = False
    """It goes on from an answer that its provider keeps: to the model that made it, or to nobody."""
    want: Want | None = None
    """The lease that it asks for besides."""
    back: tuple[str, ...] = ()
    """Units of leases that nobody used, whoever's they are, by their names in the ledger."""

    @property
    def ask(self) -> Ask:
        """What bounds the request's cost."""
        return _ask(self)

    @property
    def routes(self) -> tuple[str, ...]:
        """Whose policies count it: the route that was asked, and the one that is to answer."""
        return (*self.asked_routes, self.route)


class Judged(NamedTuple):
    """An answer that a cascade rejected: another model's went to the client, and this one is paid all the same."""

    attempt: Attempt
    claim: Claim
    """What its provider said of its tokens."""
    metered: bool
    """As of a report."""


class Report(NamedTuple):
    """A request ended. A tuple, as `Check` is."""

    consumer: str
    id: str
    route: str
    """The route that answered."""
    model: str
    target: str
    """Who answered last; empty when nobody did."""
    checked: bool
    """False: no answer to a check reached the gateway."""
    reserved: bool
    """The answer said that something is reserved."""
    metered: bool
    """True: the gateway counted the provider's numbers as complete, in the counters that reconciliation reads."""
    claim: Claim
    """What the provider said of its tokens."""
    stream: bool
    body_bytes: int | None
    sent_bytes: int
    status: int
    """HTTP status; 0 when the client left before there was one."""
    attempts: int
    rejected: bool
    """This server's own 429."""
    gateway: str
    output_limit: int | None = None
    """As in the check."""
    choices: int = 1
    last: Attempt | None = None
    """The last attempt, where its request went out; its status is 0 where its answer did not come to its end."""
    lost: tuple[Attempt, ...] = ()
    """The attempts before it whose requests went out."""
    judged: tuple[Judged, ...] = ()
    """The answers before it that a cascade rejected, and that came with counts."""
    asked_routes: tuple[str, ...] = ()
    """The routes that were asked before, where a rule, a downgrade, or one after the other chose another to answer."""
    shadow: bool = False
    """It was the copy of a request, for a shadow."""
    free: bool = False
    """As in the check."""
    goes_on: bool = False
    """As in the check."""
    cluster: str = ""
    """The cluster where the request went at last: a ladder's says of which side it is."""
    cache: str = ""
    """`hit`, `miss` or `bypass`; empty where its route keeps no answers."""
    kept_by: str = ""
    """Of a hit: the target that made the answer."""
    kept: Claim = NOTHING_SAID
    """Of a hit: what that said of its tokens."""
    asked: Asked | None = None
    """As in the check."""
    counts_asked: bool = False
    """The gateway counted it by the routes that were asked as well; one of the version before does not."""
    unit: str = ""
    """The unit of a lease that was reserved for it, by its name in the ledger; empty: it had its own check."""
    back: tuple[str, ...] = ()
    """As in the check."""
    asked_lease: bool = False
    """Its check asked for a lease, and none came with an answer."""

    @property
    def ask(self) -> Ask:
        """What bounded the request's cost."""
        return _ask(self)

    @property
    def routes(self) -> tuple[str, ...]:
        """Whose policies count it: the routes that were asked, and the one that answered."""
        return (*self.asked_routes, self.route)

    @property
    def unanswered(self) -> bool:
        """Nothing was asked of a provider, or it refused: nothing to pay."""
        return self.attempts == 0 or self.status >= _REFUSED


def _ask(of: Check | Report) -> Ask:
    return Ask(
        body_bytes=of.body_bytes or 0,
        output_limit=of.output_limit,
        choices=of.choices,
        asked=of.asked,
        goes_on=of.goes_on,
    )


def read(request: Any) -> Check | Report:
    """Read a message. Raises `ValueError` for what a gateway of another version may send."""
    try:
        entry = request.descriptors[0].entries[0]
    except IndexError as error:
        raise ValueError("got no descriptor, want one with one entry") from error
    key = entry.key
    if key in {"check", "shadow_check"}:
        if len(entry.value) > LONGEST_CHECK:
            raise OversizedError(f"got a check of {len(entry.value)} characters, want at most {LONGEST_CHECK}")
        return check(entry.value) if key == "check" else shadow_check(entry.value)
    if key in {"report", "shadow_report"}:
        found = report(entry.value)
        return found if key == "report" else found._replace(shadow=True)
    raise ValueError(f"got `{key[:_LONGEST_SHOWN]}`, want `check` or `report`")


def shadow_check(text: str) -> Check:
    """Read the check of a shadow's copy. Raises `ValueError` for too few words."""
    *who, target, limit, answers = (text if text.count(" ") >= len(SHADOW_CHECK) - 1 else f"{text} {ABSENT}").split(" ")
    return check(" ".join((*who, limit, answers)))._replace(shadow=target)


def check(text: str) -> Check:
    """Read a check. Raises `ValueError` for too few words.

    The last words are one `-` for a moment: when a gateway's first budget comes, its check does before its directory.
    """
    consumer, request, model, size, route, limit, *more = text.split(" ")
    more, leases = more[:_BEFORE_LEASES], (*more[_BEFORE_LEASES:], ABSENT, ABSENT)
    stream = more.pop() == _TRUE if more and more[-1] in {_TRUE, _FALSE} else False
    goes_on = bool(more) and more[0].endswith(GOES_ON)
    if goes_on:
        more[0] = more[0].removesuffix(GOES_ON)
    if (
        more and len(more[0]) > _LONGEST_NUMBER and more[0].isdigit()
    ):  # not known would be 1, and reserve next to nothing
        raise OversizedError(f"got a number of answers with {len(more[0])} digits, want at most {_LONGEST_NUMBER}")
    return Check(
        consumer=consumer,
        id=request,
        route=route,
        model=model,
        body_bytes=_number(size),
        output_limit=_number(limit),
        choices=(_number(more[0]) if more else None) or 1,
        asked_routes=_routes(more[1]) if len(more) > 1 else (),
        free=more[:1] == [FREE],
        stream=stream,
        asked=_asked(limit),
        goes_on=goes_on,
        want=lease_words.want(leases[0]),
        back=lease_words.returned(leases[1]),
    )


def report(text: str) -> Report:
    """Read a report. Raises `ValueError` for too few words."""
    known, ask, usage, *more = text.split(" ; ")
    cache, kept_by, *kept = (*more[0].split(" "), ABSENT) if more else ("", "")
    words = known.split(" ")
    consumer, request, model, size, route, reservation, target = words[:7]
    stream, status, flags, attempts, sent, gateway = words[7 : len(REPORT)]
    wire, duration, tried, failed, lost, asked, cluster, counts, back = [*words[len(REPORT) :], *_NO_ATTEMPTS][
        : len(ATTEMPTS)
    ]
    limit, answers, *_ = (*ask.split(" "), ABSENT)
    claim = _claim(usage.split(" "))
    ended = flags in {ABSENT, ""}
    return Report(
        consumer=consumer,
        id=request,
        route=route,
        model=model,
        target="" if target == ABSENT else target,
        reserved=reservation not in {ABSENT, "", NOTHING_RESERVED},
        checked=reservation not in {ABSENT, ""},  # access logs write what is absent either way
        metered=_is_metered(usage.split(" "), claim),
        claim=claim,
        stream=stream == _TRUE,
        body_bytes=_number(size),
        sent_bytes=_number(sent) or 0,
        status=_number(status) or 0,
        attempts=_number(attempts) or 0,
        rejected=flags != ABSENT and _RATE_LIMITED in flags.split(","),
        gateway=gateway,
        output_limit=_number(limit),
        choices=_number(answers.removesuffix(GOES_ON)) or 1,
        goes_on=answers.endswith(GOES_ON),
        last=_last(tried, wire, status if ended and not _number(failed) else failed, duration),
        lost=_lost(lost),
        judged=_judged(lost),
        asked_routes=_routes(asked),
        free=answers == FREE,
        cluster=cluster,
        cache="" if cache == ABSENT else cache,
        kept_by="" if kept_by == ABSENT else kept_by,
        kept=_claim(kept),
        asked=_asked(limit),
        counts_asked=counts == COUNTS_ASKED,
        unit=lease_words.unit(reservation),
        back=lease_words.returned(back),
        asked_lease=back == lease_words.ASKED,
    )


def _last(tried: str, wire: str, failed: str, duration: str) -> Attempt | None:
    """Read the last attempt: `<start in ms>,<bytes that went out before it>,<target>`, beside the bytes at the end."""
    _, before, target = _three(tried)
    if not target or (_number(wire) or 0) <= (_number(before) or 0):
        return None
    return Attempt(target=target, status=_number(failed) or 0, elapsed_ms=_number(duration))


def _lost(text: str) -> tuple[Attempt, ...]:
    """Read `<status>,<ms>,<target>`, one after the other with `;` between them; those with usage are `_judged`."""
    if text == ABSENT:
        return ()
    found = (_three(one) for one in text.split(";"))
    return tuple(_attempt(*one) for one in found if one[2] and "," not in one[2])


def _judged(text: str) -> tuple[Judged, ...]:
    """Read those with `,<word>,<word>,...` of a usage behind them."""
    if text == ABSENT:
        return ()
    found = []
    for status, elapsed, rest in (_three(one) for one in text.split(";")):
        target, comma, usage = rest.partition(",")
        if comma and target:
            words = usage.split(",")
            claim = _claim(words)
            attempt = _attempt(status, elapsed, target)
            found.append(Judged(attempt=attempt, claim=claim, metered=_is_metered(words, claim)))
    return tuple(found)


def _attempt(status: str, elapsed: str, target: str) -> Attempt:
    return Attempt(target=target, status=_number(status) or 0, elapsed_ms=_number(elapsed))


def _is_metered(usage: Sequence[str], claim: Claim) -> bool:
    return usage[:1] == [_COMPLETE] and claim.input is not None and claim.output is not None


def _three(text: str) -> tuple[str, str, str]:
    first, _, rest = text.partition(",")
    second, _, third = rest.partition(",")
    return first, second, third


def _routes(text: str) -> tuple[str, ...]:
    return () if text in {ABSENT, ""} else tuple(text.split(","))


def _claim(words: Sequence[str]) -> Claim:
    """Read what the provider said."""
    if len(words) < len(USAGE):
        return NOTHING_SAID
    status, inputs, outputs, *parts = words[: len(USAGE)]
    units, image_in, *_ = (*words[len(USAGE) :], ABSENT, ABSENT)
    # Most are 0, and each report has them all.
    cached, write, write_1h, audio_in, audio_out = [0 if part == "0" else _number(part) or 0 for part in parts]
    return Claim(
        said=True,
        input=_number(inputs),
        output=_number(outputs),
        contradictory=status == _IMPOSSIBLE,
        cached=cached,
        cache_write=write,
        cache_write_1h=write_1h,
        audio_input=audio_in,
        audio_output=audio_out,
        units=_number(units),
        image_input=_number(image_in) or 0,
    )


_LETTERS = {str(unit): unit for unit in Unit}


def _asked(limit: str) -> Asked | None:
    """Read `i3`, three images, or `i3.900` with the most tokens that go in; None for a limit on tokens."""
    count, _, inputs = limit[1:].partition(".")
    unit, number = _LETTERS.get(limit[:1]), _number(count)
    return None if unit is None or number is None else Asked(unit=unit, count=number, inputs=_number(inputs))


def _number(text: str) -> int | None:
    """Return a number that is not negative; None when there is none."""
    if text.isdigit() and len(text) <= _LONGEST_NUMBER and text.isascii():
        return int(text)
    return None
