"""`fairlead check`."""

import json
import os
from pathlib import Path

import click

from fairlead.api.installation import Installation
from fairlead.cli import options, outside
from fairlead.standalone import addresses, declared
from fairlead.standalone.diagnostics import Diagnostic, Weight, diagnostics
from fairlead.standalone.offline import compile_offline, is_for_up


@click.command()
@options.files
@options.config(required=False)
@click.option("--strict", is_flag=True, help="Warnings count as problems.")
@click.option("--prices", is_flag=True, help="Compare declared prices with the public list; changes none.")
@click.option("--probe", is_flag=True, help="Ask each endpoint for its models, with its key. Costs no tokens.")
@options.output
def command(
    *, paths: tuple[Path, ...], config: Path | None, strict: bool, prices: bool, probe: bool, output: str
) -> None:
    """Say what is wrong with the manifests at PATH, object by object: what was got, what is wanted, what to do.

    Without CONFIG an installation is assumed that has every region which the manifests name. Exit code 1 when there
    are problems, or with --strict warnings.
    """
    release, installation, files = compile_offline(paths, config, dict(os.environ), for_pods=False)
    endpoints = declared.endpoints(release, installation.namespace) if prices or probe else ()
    differing, compared = outside.prices(endpoints) if prices else ([], [])
    unfit, probed = outside.probes(endpoints, release.inputs, dict(os.environ)) if probe else ([], [])
    found = (*_silent(installation, config), *diagnostics(release, in_effect=False), *differing, *unfit)
    counts = {
        "files": len(files),
        "objects": len(release.compiled.reports) + sum(key.kind == "Secret" for key in release.inputs.sources),
        "problems": sum(one.weight is Weight.PROBLEM for one in found),
        "warnings": sum(one.weight is Weight.WARNING for one in found),
    }
    assumed = [f"{namespace}/{name}" for namespace, name in release.inputs.assumed]
    failed = bool(counts["problems"] or (strict and counts["warnings"]))
    if output == "json":
        click.echo(
            json.dumps(
                {
                    "ok": not failed,
                    **counts,
                    "assumedSecrets": assumed,
                    "diagnostics": _plain(found),
                    "asked": [*compared, *probed],
                },
                indent=2,
                ensure_ascii=False,
            )
        )
    else:
        for line in _lines(counts, found):
            click.echo(line)
        if assumed:
            click.echo(f"\nassumed: these Secrets, which no file holds; `fairlead up` needs them: {', '.join(assumed)}")
        for line in ("", *compared, *probed) if endpoints else ():
            click.echo(line)
    raise SystemExit(int(failed))


def _silent(installation: Installation, config: Path | None) -> tuple[Diagnostic, ...]:
    """Say of an installation of `fairlead up` which regions cannot be served for lack of an address."""
    told = addresses.silent(installation) if is_for_up(installation) else ()
    return tuple(
        Diagnostic(weight=Weight.PROBLEM, subject="", source=str(config or ""), message=message) for message in told
    )


def _plain(found: tuple[Diagnostic, ...]) -> list[dict[str, str]]:
    return [
        {"weight": one.weight.value, "object": one.subject, "source": one.source, "message": one.message}
        for one in found
    ]


def _lines(counts: dict[str, int], found: tuple[Diagnostic, ...]) -> list[str]:
    """Put first what a person wants to know first."""
    summary = ", ".join(
        f"{number} {word if number != 1 else word.removesuffix('s')}" for word, number in counts.items() if number
    )
    lines = [f"{'found' if counts['problems'] else 'ok'}: {summary or 'no files'}"]
    before = None
    for one in sorted(found, key=lambda one: one.weight is Weight.WARNING):
        place = (one.weight, one.subject, one.source)
        if place != before:
            name = " ".join(
                part for part in (one.subject, f"({one.source})" if one.subject and one.source else one.source) if part
            )
            lines += ["", f"{one.weight.value}: {name}".rstrip(": ")]
            before = place
        lines.append(f"  {one.message}")
    return lines
