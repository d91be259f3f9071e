"""The CustomResourceDefinitions, generated from the models: `crds/*.yaml` is this module's output."""

from collections.abc import Mapping
from typing import Any

import yaml

from fairlead.api.budget import BudgetPolicy
from fairlead.api.consumer import ModelConsumer
from fairlead.api.decode import RESOURCES
from fairlead.api.form import INT32_MAX, LABEL_PATTERN, LABEL_WANT, Text
from fairlead.api.provider import ModelProvider
from fairlead.api.resource import GROUP, VERSION, Part, Resource
from fairlead.api.route import ModelRoute
from fairlead.api.rule import Rule
from fairlead.api.schema import Kind, Node, of_part, of_spec
from fairlead.api.status import BudgetPolicyStatus, ModelConsumerStatus, ModelProviderStatus, ModelRouteStatus, Status

_HEADER = "# Generated from the models in operator/fairlead/api by `make crds`. Do not edit.\n"

_NAME_RULE = {
    "rule": f"self.metadata.name.size() <= 63 && self.metadata.name.matches('{LABEL_PATTERN}')",
    "message": f"want {LABEL_WANT} as `metadata.name`, rename the object",
}


def _condition(name: str, kind: str, field: str = "status", priority: int = 0) -> dict[str, Any]:
    """Return a printer column that finds its condition by type, wherever it stands in the list."""
    return _column(name, f'.status.conditions[?(@.type=="{kind}")].{field}', priority=priority)


def _column(name: str, path: str, *, kind: str = "string", priority: int = 0) -> dict[str, Any]:
    return {"name": name, "type": kind, "jsonPath": path, **({"priority": priority} if priority else {})}


_READY = _condition("Ready", "Ready")
_WHERE = _column("Served in", ".status.servedIn")
_DETAILS = (
    _condition("Accepted", "Accepted", priority=1),
    _condition("Programmed", "Programmed", priority=1),
    _condition("Reason", "Ready", "reason", priority=1),
    _column("Age", ".metadata.creationTimestamp", kind="date"),
)
_COLUMNS: Mapping[type[Resource], tuple[dict[str, Any], ...]] = {
    # Is it serving, with what, where: in this order.
    ModelProvider: (
        _READY,
        _column("Healthy", ".status.healthy"),
        _column("Protocol", ".spec.protocol"),
        _WHERE,
        _column("Unwell", ".status.unwell", priority=1),
        *_DETAILS,
    ),
    ModelRoute: (
        _READY,
        _column("Provider", ".spec.primary.provider"),
        _column("Model", ".spec.primary.model"),
        _column("Rollout", ".status.rollout.phase"),
        _WHERE,
        _column("Residency", ".spec.residency", priority=1),
        _column("Stable", ".status.rollout.stable", priority=1),
        _column("Diversion", ".status.diversion", priority=1),
        *_DETAILS,
    ),
    ModelConsumer: (
        _READY,
        _column("Budgets", ".status.budgetedBy"),
        _column("Expires", ".spec.expiresAt"),
        _WHERE,
        *_DETAILS,
    ),
    BudgetPolicy: (
        _READY,
        _condition("Enforced", "Enforced"),
        _column("USD", ".spec.limit.usd"),
        _column("Spent", ".status.budget.spentUSD"),
        _column("Top spender", ".status.budget.top"),
        _column("Resets", ".status.budget.windowEnd"),
        _column("Every", ".spec.window.every", priority=1),
        _column("Calendar", ".spec.window.calendar", priority=1),
        _column("Scope", ".spec.scope", priority=1),
        _column("Consumers", ".status.budget.consumers", kind="integer", priority=1),
        *_DETAILS,
    ),
}


def crds() -> Mapping[str, bytes]:
    """Return the CRDs as YAML, by file name. The same bytes every time."""
    return {f"{resource.kind.lower()}.yaml": _yaml(definition(resource)) for resource in RESOURCES}


def definition(resource: type[Resource]) -> dict[str, Any]:
    """Return one CustomResourceDefinition."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "plural": resource.plural,
                "singular": resource.kind.lower(),
                "kind": resource.kind,
                "listKind": f"{resource.kind}List",
                "shortNames": [resource.short_name],
                "categories": ["fairlead"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": list(_COLUMNS[resource]),
                    "schema": {"openAPIV3Schema": _root(resource)},
                }
            ],
        },
    }


_NOT_JUDGED_YET = {
    "conditions": [
        {
            "type": "Ready",
            "status": "Unknown",
            "reason": "Pending",
            "message": "waiting for the operator",
            "lastTransitionTime": "1970-01-01T00:00:00Z",
        }
    ]
}
"""The status of an object that nobody has looked at. kstatus, and with it Helm, Argo CD and Flux, would take an object
without a status for one that is done. Gateway API does the same."""


_STATUS: Mapping[type[Resource], type[Part]] = {
    ModelProvider: ModelProviderStatus,
    ModelRoute: ModelRouteStatus,
    ModelConsumer: ModelConsumerStatus,
    BudgetPolicy: BudgetPolicyStatus,
}


def status_part(resource: type[Resource]) -> type[Part]:
    """Return the model of a resource's status."""
    return _STATUS.get(resource, Status)


def _root(resource: type[Resource]) -> dict[str, Any]:
    spec = {"description": " ".join((resource.model_fields["spec"].description or "").split())}
    status = {"description": "What the operator says about the object. Nobody else writes it."}
    return {
        "type": "object",
        "description": " ".join((resource.__doc__ or "").split()),
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": "The version of the form of this object."},
            "kind": {"type": "string", "description": "The kind of this object."},
            "metadata": {"type": "object"},
            "spec": {**spec, **schema(of_spec(resource))},
            "status": {**status, **schema(of_part(status_part(resource))), "default": _NOT_JUDGED_YET},
        },
        "x-kubernetes-validations": [_NAME_RULE, *_validations(resource.constraints)],
    }


def schema(node: Node) -> dict[str, Any]:
    """Return a node as a structural schema."""
    match node.kind:
        case Kind.OBJECT:
            form = _object(node)
        case Kind.MAP if node.items and node.entries:
            form = {
                "type": "object",
                "additionalProperties": schema(node.items),
                "maxProperties": node.entries.max_properties,
            }
        case Kind.ARRAY if node.items and node.listed:
            form = {"type": "array", "items": schema(node.items), "maxItems": node.listed.max_items}
            if node.listed.min_items:
                form["minItems"] = node.listed.min_items
            form["x-kubernetes-list-type"] = node.listed.list_type.value
            if node.listed.keys:
                form["x-kubernetes-list-map-keys"] = list(node.listed.keys)
        case Kind.INTEGER if node.number:
            wide = node.number.maximum > INT32_MAX
            form = {"type": "integer", "format": "int64" if wide else "int32", "minimum": node.number.minimum}
            if node.number.maximum < INT32_MAX:
                form["maximum"] = node.number.maximum
        case Kind.BOOLEAN:
            form = {"type": "boolean"}
        case _:
            form = {"type": "string", "enum": list(node.enum)} if node.enum else _string(node.text)
    validations = [*_key_rules(node.map_key), *_validations(node.rules)]
    return {**form, "x-kubernetes-validations": validations} if validations else form


def _object(node: Node) -> dict[str, Any]:
    properties = {}
    for field in node.properties:
        default = {} if field.default is None else {"default": field.default}
        properties[field.name] = {"description": field.doc, **schema(field.node), **default}
    required = [field.name for field in node.properties if field.required]
    return {
        "type": "object",
        **({"required": required} if required else {}),
        "properties": properties,
        **({"x-kubernetes-map-type": "atomic"} if node.atomic else {}),
    }


def _string(text: Text | None) -> dict[str, Any]:
    if text is None:  # pragma: no cover  # a string without an enum has a text
        return {"type": "string"}
    anything = text.pattern == "(?s)^.*$"
    return {
        "type": "string",
        **({} if anything else {"pattern": text.pattern}),
        **({"minLength": text.min_length} if text.min_length else {}),
        "maxLength": text.max_length,
    }


def _validations(rules: tuple[Rule, ...]) -> list[dict[str, str]]:
    return [
        {"rule": rule.cel, "message": rule.message, **({"fieldPath": f".{rule.field}"} if rule.field else {})}
        for rule in rules
        if rule.cel
    ]


def _key_rules(key: Text | None) -> list[dict[str, str]]:
    """Return the rule for the keys of a map: a structural schema has no word for them."""
    if key is None:
        return []
    return [
        {
            "rule": f"self.all(k, k.size() <= {key.max_length} && k.matches('{key.pattern}'))",
            "message": f"want {key.want} as key, rename it",
        }
    ]


class _Dumper(yaml.SafeDumper):
    """Writes no aliases, and quotes what YAML 1.1 would read as a boolean."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  # the signature is PyYAML's
        return True


_BOOLEANS = frozenset(
    word for base in ("y", "n", "yes", "no", "on", "off") for word in (base, base.upper(), base.title())
)


def _quoted(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if text in _BOOLEANS else None)


_Dumper.add_representer(str, _quoted)


def _yaml(document: Mapping[str, Any]) -> bytes:
    text = yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)
    return (_HEADER + text).encode()
