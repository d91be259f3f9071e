"""What gateways counted at the two sides of rollouts, since they were asked before."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from fairlead import ir
from fairlead.adapters.exposition import Sample, samples
from fairlead.adapters.gateway_metrics import GatewayMetrics
from fairlead.budget.price import FREE, Price, Tokens, cost_of_sum
from fairlead.envoy import names
from fairlead.errors import EnvoyError
from fairlead.health import attempts
from fairlead.rollout.tally import ArmCounts
from fairlead.runtime.parallel import each
from fairlead.runtime.readings import AT_ONCE, GatewayPlace

_OF_ATTEMPTS, _OF_COPIES = "envoy_fairlead_attempt_", "envoy_fairlead_copy_"
_TOTAL, _BROKEN, _FINISHED, _BUCKET = "total", "broken", "finished", "first_byte_ms_bucket"
_TOKENS = ("prompt_tokens", "completion_tokens", "cached_tokens")
_WANTED = frozenset(
    kind + name for kind in (_OF_ATTEMPTS, _OF_COPIES) for name in (_TOTAL, _BROKEN, _FINISHED, _BUCKET, *_TOKENS)
)
ONLY = r"^fairlead_attempt\.|^fairlead_copy\."
"""The same, as Envoy names them."""
_UNSAID, _WHOLE = "", "-"
_DROPPED = "UO"
"""The gateway itself had no room for it: that says nothing of a model."""
_OTHERS_ENDS = frozenset({"DC", "DR", "DPE", "DO", "OM", _DROPPED})
"""Of answers that were cut short: the client left, or broke its protocol, or the gateway was overloaded."""
_SUCCESSES = range(200, 300)
_INFINITE = "+Inf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a route's rollout."""

    route: str
    arm: ir.Side
    """Whose ladders count: a candidate may stand in stable's, too, as a fallback."""
    targets: frozenset[str]
    """`provider/endpoint/model` of each endpoint that serves its model."""
    copies: bool = False
    """Whether it answers copies and nobody else: a shadow step's candidate."""
    prices: Mapping[str, Price] = field(default_factory=dict)
    """By target; one without a price costs nothing."""


class ArmReader:
    """Reads all gateways, and knows what each of them showed before. One task calls `read`."""

    def __init__(self) -> None:
        self._before: dict[str, dict[str, int]] = {}

    async def read(
        self, metrics: GatewayMetrics, places: Sequence[GatewayPlace], sides: Sequence[Side]
    ) -> tuple[tuple[ArmCounts, ...], str]:
        """Return what was counted at each side, in their order, and why a gateway could not be read, else nothing.

        Counts of a gateway that is read for the first time say nothing: nobody knows since when it counts.
        """
        problems: list[str] = []

        async def one(place: GatewayPlace) -> tuple[str, str] | None:
            try:
                return place.name, await metrics.read(place.address, only=ONLY)
            except EnvoyError as error:
                problems.append(str(error))
                return None

        texts = [found for found in await each(list(places), one, at_once=AT_ONCE) if found is not None]
        came = [sample for name, text in texts for sample in self._since(name, text)]
        self._before = {place.name: self._before[place.name] for place in places if place.name in self._before}
        return tuple(counted(came, side) for side in sides), problems[0] if problems else ""

    def _since(self, gateway: str, text: str) -> Iterable[Sample]:
        """Yield what came to each series; one that shrank began anew."""
        before = self._before.get(gateway)
        now: dict[str, int] = {}
        for sample in samples(text, _WANTED):
            series = f"{sample.name} {sorted(sample.labels.items())}"
            now[series] = sample.value
            known = 0 if before is None else before.get(series, 0)
            more = sample.value - known if sample.value >= known else sample.value
            # What came to a bucket is told also where it is nothing: it begins where the one before ends.
            if before is not None and (more or sample.name.endswith(_BUCKET)):
                yield Sample(name=sample.name, labels=sample.labels, value=more)
        self._before[gateway] = now


def counted(came: Iterable[Sample], side: Side) -> ArmCounts:
    """Sum up what came to one side."""
    tokens: dict[str, dict[str, int]] = {}
    upto: dict[float, int] = {}
    outcomes: Counter[attempts.Outcome] = Counter()
    ends: Counter[tuple[str, str]] = Counter()
    broken = 0
    for sample in came:
        target = sample.labels.get("target", "")
        if target not in side.targets or not _is_of(sample, side):
            continue
        name = sample.name.removeprefix(_OF_COPIES if side.copies else _OF_ATTEMPTS)
        if name in _TOKENS:
            of_target = tokens.setdefault(target, {})
            of_target[name] = of_target.get(name, 0) + sample.value
        elif name == _BUCKET:
            bound = _bound(sample)
            if bound is not None:
                upto[bound] = upto.get(bound, 0) + sample.value
        elif name == _FINISHED:
            ends[_flags(sample), sample.labels.get("reason", _UNSAID)] += sample.value
        elif name == _BROKEN:
            broken += sample.value
        else:
            outcomes[_outcome(sample)] += sample.value
    fates: Counter[str] = Counter()
    for outcome, count in outcomes.items():
        fates[_fate(outcome)] += count
    return replace(
        _priced(tokens, side.prices),
        attempts=fates["failed"] + fates["given up"] + fates["answered"],
        # A stream that broke was counted as a 200 by its headers, and did not say how it ended.
        failed=fates["failed"] + broken + _cut_short(outcomes, ends),
        unended=fates["given up"] + ends[_WHOLE, _UNSAID] - broken,
        finish_reasons={
            reason: count
            for (flags, reason), count in sorted(ends.items())
            if count and flags == _WHOLE and reason != _UNSAID
        },
        first_bytes=_each(upto),
    )


def _cut_short(outcomes: Mapping[attempts.Outcome, int], ends: Mapping[tuple[str, str], int]) -> int:
    """Count answers that stalled or timed out (`SI`, `UT`, `DT`), and whose attempts look like whole ones.

    A timer of the request ends its attempt without a flag. What ends the attempt itself (`UC`, `UR`, `UPE`) is a flag
    of both, and counted already.
    """
    found: Counter[str] = Counter()
    for (flags, reason), count in ends.items():
        if reason == _UNSAID and flags != _WHOLE and _OTHERS_ENDS.isdisjoint(flags.split(",")):
            found[flags] += count
    for outcome, count in outcomes.items():
        status, flags = outcome
        if flags in found and status in _SUCCESSES and _fate(outcome) == "failed":
            found[flags] -= count
    return sum(max(0, count) for count in found.values())


def _is_of(sample: Sample, side: Side) -> bool:
    """Tell whether a series is of a side's route, of its kind of requests, and of its arms."""
    if side.copies:
        return sample.name.startswith(_OF_COPIES) and sample.labels.get("route") == side.route
    stem, _, arm = sample.labels.get("arm", "").rpartition("/")
    return stem == names.ladder_cluster(side.route) and ir.side_of(arm) is side.arm


def _flags(sample: Sample) -> str:
    return sample.labels.get("flags", _WHOLE)


def _outcome(sample: Sample) -> attempts.Outcome:
    code = sample.labels.get("code", "")
    return int(code) if code.isdecimal() else 0, _flags(sample)


def _fate(outcome: attempts.Outcome) -> str:
    """Tell what became of attempts; nothing of those that the gateway itself had no room for."""
    status, flags = outcome
    if _DROPPED in flags.split(","):
        return ""
    if attempts.failure(outcome) is not None:
        return "failed"
    return "given up" if status == 0 else "answered"


def _bound(sample: Sample) -> float | None:
    text = sample.labels.get("le", "")
    if text == _INFINITE:
        return float("inf")
    return float(text) if text.replace(".", "", 1).isdecimal() else None


def _each(upto: Mapping[float, int]) -> dict[float, int]:
    """Let each bucket of a cumulative histogram count for itself, empty ones too."""
    found, below = {}, 0
    for bound, count in sorted(upto.items()):
        found[bound] = max(0, count - below)
        below = max(below, count)
    return found


def _priced(tokens: Mapping[str, Mapping[str, int]], prices: Mapping[str, Price]) -> ArmCounts:
    used_up = spent = written = unpriced = 0
    for target, counts in tokens.items():
        used = Tokens(
            input=counts.get("prompt_tokens", 0),
            output=counts.get("completion_tokens", 0),
            cached=counts.get("cached_tokens", 0),
        )
        used_up, written = used_up + used.input, written + used.output
        price = prices.get(target, FREE)
        spent += cost_of_sum(price, used)
        unpriced += 0 if price.known else used.input + used.output
    return ArmCounts(input_tokens=used_up, output_tokens=written, nano_usd=spent, unpriced_tokens=unpriced)
