"""Golden cases: a folder with what goes in and what comes out.

tests/golden/<case>/case.yaml        `reason` (why it exists), `installation` (fields that differ), `files` (Envoy files
                                     to keep: those that show something of their own; the same file stands once),
                                     `manifests: true` (keep the Kubernetes objects too), `homeSecretsReadable`,
                                     `unreadable` Secrets, `health` (shares of endpoints),
                                     `drained` regions, `rollouts` (by route: stable, candidate,
                                     traffic and shadow in basis points)
tests/golden/<case>/before.yaml      optional: resources of the write before, which decide what was last good
tests/golden/<case>/in.yaml          resources, Secrets and Namespaces
tests/golden/<case>/out/             ir.yaml, status.yaml, <region>/*.json: never edited, `make golden` writes them
"""

import dataclasses
import functools
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from builders import compiled, installation
from fairlead.api.installation import Installation
from fairlead.compiler import Compiled, HelmRelease, SecretRef, pod_layouts
from fairlead.envoy import Layout
from fairlead.manifests import BudgetSettings
from fairlead.memo import Memo
from fairlead.rollout.machine import Shares
from fairlead.translate.effective import effective
from gateway_values import settings

BUDGET_SERVER = BudgetSettings(
    rpc="fairlead-budget-server:8081", usage="fairlead-budget-server:8082", configuration="fairlead-book", shared=False
)
ROOT = Path(__file__).parent / "golden"
REGIONS = [{"name": "us-east-1", "geo": "us"}, {"name": "eu-west-1", "geo": "eu"}]
_DIGEST = re.compile(r"\b[0-9a-f]{64}\b")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One folder."""

    name: str

    @property
    def folder(self) -> Path:
        return ROOT / self.name

    @property
    def options(self) -> dict[str, Any]:
        return dict(_documents(self.folder / "case.yaml")[0])

    @property
    def manifests(self) -> list[dict[str, Any]]:
        return _documents(self.folder / "in.yaml")

    @property
    def secret_values(self) -> list[str]:
        return [value for manifest in self.manifests for value in manifest.get("stringData", {}).values()]

    @property
    def installation(self) -> Installation:
        return installation(**{"regions": REGIONS, **self.options.get("installation", {})})

    def compile(self) -> Compiled:
        return _compiled(self.name)

    def compile_again(self) -> Compiled:
        """Compile the same once more, as a shell does that remembers what came of it."""
        return self.compile_after(self.compile(), self.folder / "in.yaml")

    def compile_after(self, before: Compiled | None, path: Path) -> Compiled:
        return self.compile_some(_documents(path), before)

    def compile_some(
        self, manifests: list[dict[str, Any]], before: Compiled | None = None, memo: Memo | None = None
    ) -> Compiled:
        options = self.options
        served = [region.name for region in self.installation.served]
        return compiled(
            *[manifest for manifest in manifests if manifest.get("kind") != "Secret"],
            secrets=_fingerprints(manifests),
            unreadable=frozenset(SecretRef(*ref.split("/")) for ref in options.get("unreadable", ())),
            installed=self.installation,
            before=before,
            memo=memo or Memo(),
            layouts=pod_layouts(self.installation, BUDGET_SERVER),
            release=HelmRelease(settings=replace(settings(*served), budget_server=BUDGET_SERVER), owner_uid="owner"),
            home_secrets_readable=options.get("homeSecretsReadable", True),
            health=options.get("health", {}),
            drained=frozenset(options.get("drained", ())),
            rollouts={
                route: Shares(**{"candidate": None, **told}) for route, told in options.get("rollouts", {}).items()
            },
        )

    def outputs(self) -> dict[str, str]:
        """Text by path below `out`."""
        result = self.compile()
        files = {"ir.yaml": _yaml(_ir(result)), "status.yaml": _yaml(_status(result))}
        if any(gateway.ir.budget and gateway.ir.budget.asked for gateway in result.gateways.values()):
            files["book.yaml"] = _yaml(json.loads(result.configuration))
        if health := self.options.get("health"):
            files["effective.yaml"] = _yaml(_effective(result, health))
        for region, gateway in result.gateways.items():
            for path in self.options.get("files", ()):
                files[f"{region}/{path}"] = _readable(gateway.files[path])
            if self.options.get("manifests"):
                files[f"{region}/manifests.yaml"] = yaml.safe_dump_all(
                    map(_without_files, gateway.manifests), width=120
                )
        return files

    def kept(self) -> dict[str, str]:
        """What stands in `out` now."""
        out = self.folder / "out"
        return {str(path.relative_to(out)): path.read_text() for path in sorted(out.rglob("*")) if path.is_file()}


def cases() -> list[Case]:
    return [Case(name=folder.name) for folder in sorted(ROOT.iterdir()) if (folder / "case.yaml").exists()]


def _effective(result: Compiled, health: Mapping[str, int]) -> Any:
    """What each arm of each plan tries, in which order, with which weight."""
    found: dict[str, Any] = {}
    for region, gateway in result.gateways.items():
        now = effective(gateway.ir, health)
        rungs = {ladder.name: list(ladder.rungs) for ladder in now.ladders}
        found[region] = {
            arm.ladder: {"weight": arm.weight, "rungs": rungs[arm.ladder], "lastTarget": plan.last_target}
            for route in now.routes
            for plan in route.plans
            for arm in plan.arms
        }
    return found


def layouts(regions: Iterable[str]) -> Mapping[str, Layout]:
    """Where pods of these regions have their files."""
    return pod_layouts(installation(regions=[{"name": region, "geo": "x"} for region in regions]), BUDGET_SERVER)


@functools.cache
def _compiled(name: str) -> Compiled:
    case = Case(name=name)
    path = case.folder / "before.yaml"
    before = case.compile_after(None, path) if path.exists() else None
    return case.compile_after(before, case.folder / "in.yaml")


def _fingerprints(manifests: list[dict[str, Any]]) -> dict[SecretRef, str]:
    return {
        SecretRef(manifest["metadata"].get("namespace", "fairlead"), manifest["metadata"]["name"], key): hashlib.sha256(
            value.encode()
        ).hexdigest()
        for manifest in manifests
        if manifest.get("kind") == "Secret"
        for key, value in manifest["stringData"].items()
    }


def _documents(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def _without_files(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what a ConfigMap holds: the files have goldens of their own."""
    data = {"data": dict.fromkeys(manifest["data"], "<file>")} if "data" in manifest else {}
    plain: dict[str, Any] = json.loads(_DIGEST.sub("<digest>", json.dumps({**manifest, **data})))
    return plain


def _ir(result: Compiled) -> dict[str, Any]:
    found: dict[str, Any] = {region: dataclasses.asdict(gateway.ir) for region, gateway in result.gateways.items()}
    for route in (route for gateway in found.values() for route in gateway["routes"]):
        if not route["rules"]:  # few routes have some
            del route["rules"]
    for gateway in found.values():
        if gateway["budget"] and not gateway["budget"]["only_told"]:
            del gateway["budget"]["only_told"]
        if not gateway["absent"]:
            del gateway["absent"]
    return found


def _status(result: Compiled) -> dict[str, Any]:
    return {
        "objects": [
            {
                "object": str(report.key),
                "served": str(report.served),
                "conditions": [
                    f"{condition.type}={condition.status}/{condition.reason}"
                    f"{'' if condition.observed_generation is None else f' @{condition.observed_generation}'}:"
                    f" {condition.message}"
                    for condition in report.conditions
                ],
                "problems": [str(problem) for problem in report.problems],
                "warnings": list(report.warnings),
                "ladders": [
                    f"{region}: {' > '.join(ladder)}" for region, ladder in result.status[report.key].ladders.items()
                ],
                "expiresAt": result.status[report.key].expires_at,
                **result.status[report.key].fields,
            }
            for report in result.reports
        ],
        "strays": [dataclasses.asdict(stray) for stray in result.strays],
        "keys": [f"{binding.ref} opens {binding.consumer}" for binding in result.key_bindings],
        "remembered": [str(key) for key in sorted(result.last_good)],
    }


def _yaml(value: Any) -> str:
    return yaml.safe_dump(_plain(value), sort_keys=False, allow_unicode=True, width=10_000, default_flow_style=False)


def _plain(value: Any) -> Any:
    """Leave out what is empty, so that a golden shows what is there."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items() if item is not None and item not in ("", [])}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, str) else value


def _readable(content: bytes) -> str:
    """Spread JSON over lines; digests and Lua sources are left out, since they change with every edit of a filter."""

    def masked(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: masked(item) for key, item in value.items()}
        if isinstance(value, list):
            return [masked(item) for item in value]
        if isinstance(value, str):
            return "<source>" if "\n" in value else _DIGEST.sub("<digest>", value)
        return value

    return json.dumps(masked(json.loads(content)), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
