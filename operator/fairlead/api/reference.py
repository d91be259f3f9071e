"""The reference pages, generated from the models: `docs/reference/*.md` is this module's output."""

from collections.abc import Iterator, Mapping
from typing import Any

from fairlead.api.conditions import REASONS, ConditionType, EndpointReason
from fairlead.api.crd import status_part
from fairlead.api.decode import RESOURCES
from fairlead.api.installation import Installation
from fairlead.api.resource import API_VERSION, Resource
from fairlead.api.schema import Kind, Node, Property, of_part, of_spec

_NOTE = "<!-- Generated from the models in operator/fairlead/api by `make crds`. Do not edit. -->"


def pages() -> Mapping[str, bytes]:
    """Return the pages by file name. The same bytes every time."""
    texts = {f"{resource.kind.lower()}.md": _resource(resource) for resource in RESOURCES}
    texts |= {"installation.md": _installation(), "conditions.md": _conditions(), "README.md": _contents()}
    return {name: f"{_NOTE}\n{text.rstrip()}\n".encode() for name, text in texts.items()}


def _contents() -> str:
    resources = "\n".join(f"- [{r.kind}]({r.kind.lower()}.md) (`{r.short_name}`): {_doc(r)}" for r in RESOURCES)
    return f"""# Reference

What can be written, field by field. The resources are of `{API_VERSION}`; `kubectl get fairlead` lists them all.

{resources}
- [The installation](installation.md): {of_part(Installation).doc}
- [Conditions](conditions.md): what Fairlead says about an object, and why.
"""


def _resource(resource: type[Resource]) -> str:
    head = f"""# {resource.kind}

{_doc(resource)}

`{API_VERSION}`, short name `{resource.short_name}`, namespaced. The name is a DNS label; the rest of `metadata` is
Kubernetes' own.
"""
    rules = [f"- `{rule.field}`: {_cell(rule.message)}" for rule in resource.constraints]
    refused = ["Refused:", "", *rules, ""] if rules else []
    sections = [*_sections("spec", of_spec(resource)), *_sections("status", of_part(status_part(resource)))]
    return "\n".join([head, *refused, *sections])


def _installation() -> str:
    node = of_part(Installation)
    return "\n".join(
        [
            "# The installation",
            "",
            f"{node.doc} Helm values write it into a ConfigMap; `fairlead up -c` reads it.",
            "",
            *_sections("The file", node),
        ]
    )


_ENDPOINTS = (
    "Why an endpoint stands as it does (`status.endpoints` of a ModelProvider, `endpoints` of `fairlead status`). What"
    " fails there is named as under `Ready`."
)


def _conditions() -> str:
    lines = ["# Conditions", "", "A condition says one thing about one generation of an object.", ""]
    for kind in ConditionType:
        lines += [f"## {kind}", "", kind.doc, "", "| status | reason | meaning |", "|---|---|---|"]
        for (of, status), reasons in REASONS.items():
            lines += [f"| {status} | `{reason}` | {_cell(reason.doc)} |" for reason in reasons if of is kind]
        lines.append("")
    lines += ["## Endpoints", "", f"{_ENDPOINTS}", "", "| reason | meaning |", "|---|---|"]
    lines += [f"| `{reason}` | {_cell(reason.doc)} |" for reason in EndpointReason]
    return "\n".join([*lines, ""])


def _sections(title: str, node: Node) -> Iterator[str]:
    """Yield a table for the mapping itself, then one for each mapping inside it, each model once."""
    queue, seen = [(title, node)], {node.title}
    while queue:
        heading, current = queue.pop(0)
        yield from (f"## {heading}", "")
        if heading == current.title:
            yield from (current.doc, "")
        yield from ("| field | form | default | meaning |", "|---|---|---|---|")
        for field in current.properties:
            yield f"| `{field.name}` | {_form(field.node)} | {_default(field)} | {_cell(field.doc)} |"
        yield ""
        if current.rules:
            yield "Refused:"
            yield ""
            yield from (f"- {_cell(rule.message)}" for rule in current.rules)
            yield ""
        for field in current.properties:
            part = field.node.items if field.node.kind is Kind.ARRAY else field.node
            if part and part.kind is Kind.OBJECT and not part.is_open and part.title not in seen:
                seen.add(part.title)
                queue.append((part.title, part))


def _form(node: Node) -> str:
    match node.kind:
        case Kind.OBJECT:
            return "anything" if node.is_open else f"[{node.title}](#{node.title.lower()})"
        case Kind.MAP if node.items and node.entries:
            return f"mapping, at most {node.entries.max_properties}, each {_form(node.items)}"
        case Kind.ARRAY if node.items and node.listed:
            least = f"{node.listed.min_items} to " if node.listed.min_items else "at most "
            once = f", `{node.listed.keys[0]}` unique" if node.listed.keys else ""
            return f"list of {least}{node.listed.max_items}{once}: {_form(node.items)}"
        case Kind.INTEGER if node.number:
            return node.number.want.removeprefix("a ")
        case _ if node.enum:
            return ", ".join(f"`{word}`" for word in node.enum)
        case _:
            wanted = "`true` or `false`" if node.kind is Kind.BOOLEAN else node.text.want if node.text else "a string"
            rules = "".join(f"; {rule.message.removeprefix('want ').rpartition(', ')[0]}" for rule in node.rules)
            return _cell(wanted + rules)


def _default(field: Property) -> str:
    if field.required:
        return "required"
    return "" if field.default is None else f"`{_inline(field.default)}`"


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_inline(part)}" for key, part in value.items()) + "}"
    return str(value)


def _doc(resource: type[Resource]) -> str:
    return " ".join((resource.__doc__ or "").split())


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
