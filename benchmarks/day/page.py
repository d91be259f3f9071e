"""The replay as tables of docs/scale.md. Pure, but for the file."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.day import autoscaler, belief, plan
from benchmarks.day.autoscaler import Scaling
from benchmarks.day.ledger import NANO
from benchmarks.day.outcome import Part, part, quantile
from benchmarks.day.replay import NAMES, Replay
from benchmarks.day.shape import PEAK, PER_DAY, busiest
from benchmarks.day.watch import Sample
from benchmarks.day.world import BUDGET, GATEWAY, LOST, PROVIDER, STORE, UP
from benchmarks.gateways import report

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scale.md"
BEGIN, END = "<!-- day: begin (make bench-day) -->", "<!-- day: end -->"
WANTED, WANTED_P99_MS = 0.999, 720
POD = Scaling(requested=2, usable=2, least=2, most=60)
"""What the plan gives a gateway's pod, and its autoscaler."""
EAGER = Scaling(requested=1, usable=2, least=2, most=60)
"""The same with pods that say how much they are asked for beyond what they are to have."""
STEP_S = 15


def parts(replay: Replay) -> list[Part]:
    """Cut the replay into parts by what is there."""
    whole = replay.times.whole
    cuts = (
        ("before the spike", 0.0, replay.times.before),
        ("spike, all regions there", replay.times.before, replay.provider_lost_s),
        (
            f"spike, providers of {LOST.name} {'silent' if replay.losses.silent else 'lost'}",
            replay.provider_lost_s,
            replay.gateway_lost_s,
        ),
        (f"spike, all of {LOST.name} lost", replay.gateway_lost_s, replay.spike_over_s),
        ("after the spike, it comes back", replay.spike_over_s, whole),
        ("**all**", 0.0, whole + 1),
    )
    return [part(name, replay.plan, replay.answers, begin, end) for name, begin, end in cuts]


def failures(replay: Replay) -> list[str]:
    """Say what is not as it must be, however busy the machine is."""
    everything = parts(replay)[-1]
    said = [f"no answer: {error}" for error in everything.errors[:5]]
    said += [
        f"{one.region}: providers charge {one.charged} nano-dollars, {one.books.exact} are booked as counted and "
        f"{one.books.reserved} reserved"
        for one in replay.balances
        if not one.holds(lost=one.region == LOST.name)
    ]
    return said


def render(replay: Replay) -> str:
    """Write the measured part of the page, between its markers."""
    blocks = (_where(replay), _clients(replay), _money(replay), _cpu(replay), _pods(replay))
    return "\n".join([BEGIN, "\n\n".join("\n".join(block) for block in blocks), END])


def _where(replay: Replay) -> list[str]:
    samples = belief.spike(replay)
    ours, others, stolen = (belief.mean(samples, what) / replay.cores for what in ("ours", "others", "stolen"))
    sent, answered = belief.late_ms(replay)
    doubts = belief.doubts(replay)
    peak = busiest([one.at_ms / 1000 for one in replay.plan])
    used = f"{report.machine()}, {'with' if replay.real_time else 'without'} real-time priority. "
    most = belief.busiest(samples, "ours") / replay.cores
    used += f"In the spike the replay used {ours:.0%} of the machine ({most:.0%} in its busiest five seconds), "
    used += f"others {others:.0%}, its host {stolen:.0%}; "
    used += f"load average {replay.load_average:.1f}. A hundredth of the requests was sent {sent:.1f} ms late or more, "
    used += f"of the answers {answered:.1f} ms."
    scale = f"The busiest five seconds had {peak:.0f} requests/s, so 1 there stands for {PEAK / peak:.0f} of the "
    scale += f"{PEAK:,.0f} of the goal."
    verdict = "**Not to be believed**: " + "; ".join(doubts) + "." if doubts else "Nothing speaks against the figures."
    return [used.replace("%", " %"), verdict, scale]


def _clients(replay: Replay) -> list[str]:
    head = "| part | requests | success | no answer | streams cut | p50 ms | p99 ms | streams' first byte p50, p99 ms "
    head += "| another attempt | another gateway |"
    rows = [head, "|---" * 10 + "|"]
    found = parts(replay)
    rows += [
        f"| {one.name} | {one.requests:,} | {100 * one.success:.2f} % | {len(one.errors)} | {one.cut} | {one.p50:.0f} "
        f"| {one.p99:.0f} | {one.first_p50:.0f}, {one.first_p99:.0f} | {one.retried} | {one.moved} |"
        for one in found
    ]
    everything = found[-1]
    alone = [one.takes_ms for one in replay.plan]
    cut = round(everything.cut * PEAK / replay.peak)
    share = 1 - (cut + len(everything.errors) * PEAK / replay.peak) / PER_DAY
    met = {
        f"p99 {everything.p99:.0f} ms ({WANTED_P99_MS} wanted)": everything.p99 <= WANTED_P99_MS,
        f"success {100 * share:.3f} % (99.9 % wanted)": share >= WANTED,
    }
    told = f"Providers alone take {quantile(alone, 0.5):.0f} ms, a hundredth {quantile(alone, 0.99):.0f} ms or more. "
    told += f"What is cut is under way when a region ends: at {PEAK:,.0f}/s that would be {cut:,} streams of a day's "
    told += f"{PER_DAY // 1_000_000} million. So by the day: "
    told += "; ".join(f"{what}: {'met' if holds else '**missed**'}" for what, holds in met.items()) + "."
    return [*rows, "", told]


def _money(replay: Replay) -> list[str]:
    rows = ["| gateway | providers charged | booked as counted | booked by estimate | still reserved | difference |"]
    rows += ["|---|---|---|---|---|---|"]
    for one in replay.balances:
        books = one.books
        amounts = (one.charged, books.exact, books.estimated, books.reserved)
        words = " | ".join(f"${amount / NANO:,.9f}" for amount in amounts)
        told = f"{one.missing:,} nano-dollars" if one.missing else "none"
        rows.append(f"| {one.region} | {words} | {told} |")
    mine = {one.number for one in replay.plan}
    day = sum(one.nano for one in replay.charges if one.whole and one.number in mine)
    scaled = day / NANO * PER_DAY / max(1, len(replay.plan))
    told = f"The replay cost ${day / NANO:.4f}; {PER_DAY // 1_000_000} million such requests cost ${scaled:,.0f}. "
    told += f"{replay.unchecked:,} requests passed without a check, since it took longer than `budgets.timeout`."
    return [*rows, "", told]


def _cpu(replay: Replay) -> list[str]:
    spike, calm = belief.spike(replay), belief.calm(replay)
    rows = [f"| part | cores before the spike | in the spike | ms of CPU per request more | cores at {PEAK:,.0f}/s |"]
    rows += ["|---|---|---|---|---|"]
    places: list[tuple[str, str, str | None]] = [(f"gateway of {name}", GATEWAY, name) for name in NAMES]
    places += [
        ("gateways, all", GATEWAY, None),
        ("budget servers", BUDGET, None),
        ("Redis", STORE, None),
        ("`fairlead up`, probes and all", UP, None),
        ("providers", PROVIDER, None),
        ("load", "load", None),
    ]
    for name, what, where in places:
        before, during = (_cores(samples, what, where) for samples in (calm, spike))
        if not during:
            continue
        # A region's own share of the requests is in its figure, so it is scaled as the whole is.
        each = max(0.0, during - before) / max(1.0, _more(replay))
        scaled = f"{each * PEAK:,.1f}" if what in (GATEWAY, BUDGET, STORE) else ""
        rows.append(f"| {name} | {before:.3f} | {during:.3f} | {1000 * each:.2f} | {scaled} |")
    return rows


def _cores(samples: Sequence[Sample], what: str, where: str | None) -> float:
    whole = sum(one.took_s for one in samples)
    return sum(one.of(what, where) * one.took_s for one in samples) / whole if whole else 0.0


def _more(replay: Replay) -> float:
    """Return how many more requests a second the spike has than the time before it."""
    return _rate(replay, replay.times.before, replay.spike_over_s) - _rate(replay, 0, replay.times.before)


def _rate(replay: Replay, begin_s: float, end_s: float) -> float:
    return sum(begin_s <= one.at_ms / 1000 < end_s for one in replay.plan) / max(0.001, end_s - begin_s)


def _pods(replay: Replay) -> list[str]:
    factor = PEAK / replay.peak
    series = {name: wanted(replay, name, factor) for name in NAMES}
    scaled = {name: autoscaler.pods(cores, POD) for name, cores in series.items()}
    needed = {name: autoscaler.enough(_most(cores), POD) for name, cores in series.items()}
    rows = ["| second | " + " | ".join(f"{name}: cores wanted, pods" for name in NAMES) + " |", "|---" * 4 + "|"]
    for second in range(0, min(map(len, series.values())), STEP_S):
        cells = [f"{scaled[name][second].wanted_cores:.1f}, {scaled[name][second].ready}" for name in NAMES]
        rows.append(f"| {second} | " + " | ".join(cells) + " |")
    rows += ["", "| autoscaler | " + " | ".join(f"{name}: seconds short of CPU, most pods" for name in NAMES) + " |"]
    rows.append("|---" * 4 + "|")
    ways = {
        f"pods of {POD.usable:.0f} cores, requested, from {POD.least}: as above": dict.fromkeys(NAMES, POD),
        f"pods that request {EAGER.requested:.0f} of their {EAGER.usable:.0f} cores, from {EAGER.least}": dict.fromkeys(
            NAMES, EAGER
        ),
        f"as above, with `minReplicas` of {', '.join(str(needed[name]) for name in NAMES)}": {
            name: replace(POD, least=needed[name]) for name in NAMES
        },
    }
    for way, scalings in ways.items():
        found = {name: autoscaler.pods(series[name], scalings[name]) for name in NAMES}
        cells = [
            f"{sum(one.short(scalings[name].usable) for one in found[name])}, {max(one.ready for one in found[name])}"
            for name in NAMES
        ]
        rows.append(f"| {way} | " + " | ".join(cells) + " |")
    return rows


def wanted(replay: Replay, region: str, factor: float) -> list[float]:
    """Return the cores that a region's gateways would use at the goal's rates, for each second."""
    found = [0.0] * max(1, round(replay.times.whole))
    for one in replay.samples:
        end = replay.second_of(one)
        for second in range(max(0, math.floor(end - one.took_s)), min(len(found), math.ceil(end))):
            within = min(end, second + 1) - max(end - one.took_s, second)
            found[second] += within * one.of(GATEWAY, region) * factor
    return found


def _most(cores: Sequence[float]) -> float:
    """Return the most that was wanted over five seconds; a single one may have what another has lost."""
    return max((sum(cores[at : at + 5]) / len(cores[at : at + 5]) for at in range(max(1, len(cores) - 4))), default=0.0)


def gateway_ms(replay: Replay) -> float:
    """Return the CPU that one more request takes of all gateways."""
    before, during = (_cores(samples, GATEWAY, None) for samples in (belief.calm(replay), belief.spike(replay)))
    return 1000 * max(0.0, during - before) / max(1.0, _more(replay))


def write(text: str, planned: str) -> None:
    """Put both measured parts into the page."""
    report.write(PAGE, text, BEGIN, END)
    report.write(PAGE, planned, plan.BEGIN, plan.END)
