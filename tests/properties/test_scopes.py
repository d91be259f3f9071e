"""Scopes against the rule of DESIGN section 2, told a second time in the plainest way: look at every route."""

from typing import Any

from hypothesis import given

from builders import HOME, compiled, installation
from fairlead import ir
from fairlead.compiler import Compiled, Served
from fairlead.ir import word
from strategies import SECRETS, worlds

EVERY_NAME = [
    "chat",
    "qwen/a",
    "qwen/b",
    "llama",
    "bge",
    "qwen/vectors",
    "gpt-4o",
    "a b",
    "a%20b",
    "nothing",
    *(f"r{n}" for n in range(6)),
]


def run(manifests: list[dict[str, Any]]) -> Compiled:
    return compiled(*manifests, secrets=SECRETS, installed=installation())


def matches(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    def holds(requirement: dict[str, Any]) -> bool:
        value = labels.get(requirement["key"])
        return {
            "In": value in requirement.get("values", ()),
            "NotIn": value not in requirement.get("values", ()),
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }[requirement["operator"]]

    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        holds(requirement) for requirement in selector.get("matchExpressions", ())
    )


class Plain:
    """The whole of a world, looked at anew for each question."""

    def __init__(self, world: list[dict[str, Any]]) -> None:
        self.world = world
        self.routes = [one for one in world if one["kind"] == "ModelRoute"]
        self.providers = {one["metadata"]["name"]: one["spec"] for one in world if one["kind"] == "ModelProvider"}
        self.labels = {
            one["metadata"]["name"]: one["metadata"]["labels"] for one in world if one["kind"] == "Namespace"
        }
        others = [one for one in world if one["kind"] != "ModelRoute"]
        self.alone = {name_of(route): run([*others, route]) for route in self.routes}

    def served(self, route: dict[str, Any], name: str, region: str) -> bool:
        """Would the route answer the name if it were the only one?"""
        found = [one for one in self.alone[name_of(route)].gateways[region].ir.routes if one.name == name_of(route)]
        return any(not one.keyed or word.encode(name) in {plan.key for plan in one.plans} for one in found)

    def specificity(self, route: dict[str, Any], name: str) -> int | None:
        """The longest of the route's patterns that covers the name; an exact one above all."""
        patterns = route["spec"].get("modelNames", [route["metadata"]["name"]])
        primary = route["spec"]["primary"]
        if name in patterns:
            return 1000
        covering = [len(one) for one in patterns if one.endswith("*") and name.startswith(one[:-1])]
        if not covering or name not in self.catalogue(primary["provider"], route["metadata"]["namespace"]):
            return None
        types = {model["name"]: model.get("type", "Chat") for model in self.providers[primary["provider"]]["models"]}
        if "model" in primary and types[name] != self.type_of(route):
            return None
        return max(covering)

    def type_of(self, route: dict[str, Any]) -> str:
        """Type of the first of the route's models that can be found."""
        primary = route["spec"]["primary"]
        for one in (primary, *route["spec"].get("fallbacks", ())):
            wanted = one.get("model", primary.get("model"))
            if wanted in self.catalogue(one["provider"], route["metadata"]["namespace"]):
                models = self.providers[one["provider"]]["models"]
                return next(str(model.get("type", "Chat")) for model in models if model["name"] == wanted)
        return "none"

    def catalogue(self, provider: str, namespace: str) -> set[str]:
        spec = self.providers.get(provider)
        if spec is None or not self.chosen(spec["allowedRoutes"]["namespaces"], HOME, namespace):
            return set()
        known = {region.name for region in installation().regions} | {None}
        names = [model["name"] for model in spec["models"]]
        return {
            name
            for endpoint in spec["endpoints"]
            if endpoint.get("region") in known
            for name in ([model["name"] for model in endpoint["models"]] if "models" in endpoint else names)
        }

    def sees(self, consumer: dict[str, Any], route: dict[str, Any]) -> bool:
        own, caller = route["metadata"]["namespace"], consumer["metadata"]
        chosen = route["spec"].get("consumers", {})
        if not self.chosen(chosen.get("namespaces", {"from": "Same"}), own, caller["namespace"]):
            return False
        if "names" in chosen:
            return caller["name"] in chosen["names"]
        return "selector" not in chosen or matches(chosen["selector"], caller["labels"])

    def chosen(self, namespaces: dict[str, Any], own: str, namespace: str) -> bool:
        if namespaces["from"] == "Selector":
            labels = {**self.labels.get(namespace, {}), "kubernetes.io/metadata.name": namespace}
            return matches(namespaces["selector"], labels)
        return namespaces["from"] == "All" or own == namespace

    def answer(self, consumer: dict[str, Any], name: str, region: str) -> str:
        own = consumer["metadata"]["namespace"]
        for tier in [own] if own == HOME else [own, HOME]:
            bids = []
            for route in self.routes:
                in_effect = any(
                    str(report.key) == f"ModelRoute {name_of(route)}" and report.served is Served.CURRENT
                    for report in self.alone[name_of(route)].reports
                )
                if not in_effect or route["metadata"]["namespace"] != tier or not self.sees(consumer, route):
                    continue
                specificity = self.specificity(route, name)
                if specificity is None:
                    continue
                served = self.served(route, name, region)
                bids.append(((-specificity, not served, *self.preference(route, own, tier)), served, name_of(route)))
            if bids:
                _, served, winner = min(bids)
                return winner if served else ""
        return ""

    def preference(self, route: dict[str, Any], own: str, tier: str) -> tuple[Any, ...]:
        chosen = route["spec"].get("consumers", {})
        created = route["metadata"].get("creationTimestamp")
        return (
            not ("names" in chosen or chosen.get("selector")),
            own == tier or chosen.get("namespaces", {}).get("from") != "Selector",
            created is None,
            created or "",
            route["metadata"]["name"],
        )


def name_of(manifest: dict[str, Any]) -> str:
    return f"{manifest['metadata']['namespace']}/{manifest['metadata']['name']}"


def looked_up(gateway: ir.Gateway, consumer: str, name: str) -> str:
    """Ask the scopes of a consumer in order, as the request filter does."""
    entries = {
        (scope.name, word.decode(entry.model_name)): entry.route for scope in gateway.scopes for entry in scope.entries
    }
    for one in gateway.consumers:
        if one.name == consumer:
            for scope in one.scopes:
                if (scope, name) in entries:
                    return entries[scope, name]
    return ""


@given(world=worlds())
def test_scopes_answer_as_the_rule_says(world: list[dict[str, Any]]) -> None:
    result, plain = run(world), Plain(world)
    for consumer in (one for one in world if one["kind"] == "ModelConsumer"):
        for region, gateway in result.gateways.items():
            for name in EVERY_NAME:
                assert looked_up(gateway.ir, name_of(consumer), name) == plain.answer(consumer, name, region)
