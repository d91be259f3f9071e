"""`fairlead explain`."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import click

from fairlead.budget.configuration import decode
from fairlead.budget.price import USD
from fairlead.cli import options
from fairlead.ir import Gateway, ModelKind, Side, word
from fairlead.matching import Amiss
from fairlead.matching.explanation import DrawnLadder, Explanation, PricedRung, explain, facts
from fairlead.matching.prompt import PATHS
from fairlead.standalone.offline import compile_offline

_ALL = 10_000
_CHAT = "/v1/chat/completions"


@click.command()
@options.files
@options.config(required=False)
@click.option("--route", metavar="NAMESPACE/NAME", required=True, help="The route that is asked.")
@click.option("--body", metavar="FILE", type=click.File("rb"), required=True, help="The request's body; `-` reads it.")
@click.option(
    "--path", type=click.Choice(sorted(PATHS)), default=_CHAT, show_default=True, help="Where the request is sent."
)
@click.option("--category", metavar="NAME", help="What the route's classifier is to say of it; nobody is asked.")
@options.output
def command(
    *,
    paths: tuple[Path, ...],
    config: Path | None,
    route: str,
    body: BinaryIO,
    path: str,
    category: str | None,
    output: str,
) -> None:
    """Say what becomes of a request: which rule applies, which ladder answers, at what price. Sends nothing.

    Ladders are as declared: health and drains change their order where gateways run. Exit code 1 when no region takes
    the request.
    """
    release, installation, _ = compile_offline(paths, config, dict(os.environ), for_pods=False)
    asked = route if "/" in route else f"{installation.namespace}/{route}"
    gateways = {region: gateway.ir for region, gateway in release.compiled.gateways.items()}
    known = sorted({one.name for gateway in gateways.values() for one in gateway.routes})
    if asked not in known:
        served = ", ".join(known) or "none; `fairlead check` says why"
        raise click.BadParameter(f"got `{asked}`, want a route that serves ({served})", param_hint="--route")
    _check_kind(asked, gateways)
    _check_category(category, asked, gateways)
    text = body.read()
    try:
        found = explain(gateways, decode(release.compiled.configuration), asked, text, path, category=category)
        seen = facts(text, path)
    except Amiss as refused:
        if output == "json":
            click.echo(json.dumps({"route": asked, "refused": str(refused), "regions": []}, indent=2))
        else:
            click.echo(f"refused: 400 {refused}")
        raise SystemExit(1) from None
    if output == "json":
        document = {
            "route": asked,
            "request": dict(seen),
            "regions": [_document(one, category) for one in found],
        }
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        for line in _lines(asked, seen, found, category):
            click.echo(line)
    raise SystemExit(int(not found))


def _check_kind(asked: str, gateways: Mapping[str, Gateway]) -> None:
    """Refuse a route none of whose models is asked by a prompt: what else is billed is no matter of tokens."""
    kinds = {
        plan.kind for gateway in gateways.values() for one in gateway.routes if one.name == asked for plan in one.plans
    }
    if kinds and not kinds & {ModelKind.CHAT, ModelKind.EMBEDDING}:
        got = ", ".join(sorted(kinds))
        raise click.BadParameter(
            f"got `{asked}` of `{got}` models, want a route of `Chat` or `Embedding` models; `fairlead status` shows "
            "its ladder",
            param_hint="--route",
        )


def _check_category(category: str | None, asked: str, gateways: Mapping[str, Gateway]) -> None:
    """Refuse a category that the route's classifier never gives."""
    known = sorted(
        {
            name
            for gateway in gateways.values()
            for one in gateway.routes
            if one.name == asked and one.classifier is not None
            for name in one.classifier.categories
        }
    )
    if category is not None and category not in known:
        want = ", ".join(known) or "none: the route has no classifier"
        raise click.BadParameter(f"got `{category}`, want one of its categories ({want})", param_hint="--category")


def _document(one: Explanation, category: str | None) -> dict[str, Any]:
    return {
        "region": one.region,
        "rule": one.rule,
        "classifier": one.classifier,
        "category": category if one.classifier else None,
        "route": one.route,
        "atMostUSD": _usd(one.at_most),
        "ladders": [
            {
                "side": ladder.side.value,
                "share": _share(ladder),
                "rungs": [
                    {
                        "target": word.decode(rung.target),
                        "usdPerMillionTokens": _priced(rung),
                        **({"judged": True} if rung.judged else {}),
                        **({"words": rung.words} if rung.words else {}),
                        **({"passedOver": True} if rung.passed_over else {}),
                    }
                    for rung in ladder.rungs
                ],
            }
            for ladder in one.ladders
        ],
    }


def _priced(rung: PricedRung) -> dict[str, Any] | None:
    if rung.input is None or rung.output is None:
        return None
    document: dict[str, Any] = {"input": _usd(rung.input), "output": _usd(rung.output)}
    if rung.longer is not None:
        longer = {"input": _usd(rung.longer.price.input), "output": _usd(rung.longer.price.output)}
        document["longPrompts"] = {"aboveTokens": rung.longer.above, **longer}
    return document


def _lines(
    asked: str, seen: Mapping[str, bool | int | None], found: Sequence[Explanation], category: str | None
) -> Iterator[str]:
    yield "request: " + ", ".join(f"{name} {_said(value)}" for name, value in seen.items())
    if not found:
        yield f"{asked}: no region takes this request"
    told: dict[tuple[str | None, str, str, int, tuple[DrawnLadder, ...]], list[str]] = {}
    for one in found:
        told.setdefault((one.classifier, one.rule, one.route, one.at_most, one.ladders), []).append(one.region)
    for (classifier, rule, route, at_most, ladders), regions in told.items():
        yield ""
        if classifier and category:
            yield f"{classifier} is asked for its category, and says {category}"
        elif classifier:
            yield f"{classifier} is asked for its category; without one (`--category NAME` says one):"
        yield f"{', '.join(regions)}: rule {rule}, answered by {route}, at most ${_usd(at_most)}"
        for ladder in ladders:
            if len(ladders) > 1:
                of = "candidate" if ladder.side is Side.CANDIDATE else "stable"
                yield f"  {_share(ladder)} ({of})"
            width = max(len(word.decode(rung.target)) for rung in ladder.rungs)
            yield from (f"  {number}. {_rung(rung, width)}" for number, rung in enumerate(ladder.rungs, start=1))


def _share(ladder: DrawnLadder) -> str:
    return f"{ladder.weight * 100 / _ALL:g}%"


def _rung(rung: PricedRung, width: int) -> str:
    price = (
        "no price is declared"
        if rung.input is None or rung.output is None
        else f"${_usd(rung.input)} in, ${_usd(rung.output)} out{_long(rung)} for a million tokens"
    )
    notes = {
        ", judged": rung.judged,
        f", in the words of {rung.words}": bool(rung.words),
        ", passed over: it takes no such requests": rung.passed_over,
    }
    return f"{word.decode(rung.target):<{width}}  {price}{''.join(note for note, holds in notes.items() if holds)}"


def _long(rung: PricedRung) -> str:
    if rung.longer is None:
        return ""
    price = rung.longer.price
    return f" (${_usd(price.input)} and ${_usd(price.output)} where the prompt has more than {rung.longer.above:,})"


def _said(value: bool | int | None) -> str:  # a value to print, not a switch
    return {True: "yes", False: "no", None: "-"}[value] if value is None or isinstance(value, bool) else str(value)


def _usd(nanodollars: int) -> str:
    """Write dollars exactly, with at least two decimals."""
    whole, rest = divmod(nanodollars, USD)
    return f"{whole}.{f'{rest:09}'.rstrip('0'):0<2}"
