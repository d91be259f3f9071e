"""What an API server does with an object of a CRD, as far as the CRD decides it: strict fields, form, lists, CEL.

An independent reading of the generated YAML: nothing of `fairlead` is imported here.
"""

import copy
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import cel
import jsonschema

Schema = dict[str, Any]


def schema_of(document: Mapping[str, Any]) -> tuple[str, Schema]:
    """Return kind and schema of a CustomResourceDefinition."""
    (version,) = document["spec"]["versions"]
    return document["spec"]["names"]["kind"], version["schema"]["openAPIV3Schema"]


def refusals(schema: Schema, manifest: Any) -> list[str]:
    """Return why the object would be refused, as `path: message`; nothing if it would be stored."""
    found = [f"{path}: unknown field" for path in _unknown(schema, manifest, "")]
    validator = jsonschema.Draft202012Validator(schema)
    found += [
        f"{error.json_path.removeprefix('$.')}: {error.message}"
        for error in sorted(validator.iter_errors(manifest), key=lambda error: error.json_path)
    ]
    found += [f"{path}: duplicate" for path in _duplicates(schema, manifest, "")]
    # CEL runs on the object with its defaults, and only where the form is sound.
    return found or [f"{path}: {message}" for path, message in broken_rules(schema, defaulted(schema, manifest))]


def defaulted(schema: Schema, value: Any) -> Any:
    """Return the value with the schema's defaults."""
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        filled = {name: copy.deepcopy(part["default"]) for name, part in properties.items() if "default" in part}
        filled |= value
        more = schema.get("additionalProperties", {})
        return {name: defaulted(properties.get(name, more), part) for name, part in filled.items()}
    if isinstance(value, list):
        return [defaulted(schema.get("items", {}), part) for part in value]
    return value


def broken_rules(schema: Schema, value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield path and message of every CEL rule that the value breaks."""
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        for name, part in value.items():
            inner = properties.get(name, schema.get("additionalProperties", {}))
            yield from broken_rules(inner, part, f"{path}.{name}" if path else name)
    if isinstance(value, list):
        for index, part in enumerate(value):
            yield from broken_rules(schema["items"], part, f"{path}[{index}]")
    for rule in schema.get("x-kubernetes-validations", ()):
        if not holds(rule["rule"], value):
            yield f"{path}{rule.get('fieldPath', '')}".lstrip("."), rule["message"]


def holds(expression: str, value: Any) -> bool:
    """Run one CEL rule, with those functions of Kubernetes' libraries that the rules use. An error is a refusal."""
    context = cel.Context()
    context.add_variable("self", value)
    context.add_function("lowerAscii", lambda text: text.lower())
    context.add_function("substring", lambda text, start, end: text[start:end])
    context.add_function("isSorted", lambda items: list(items) == sorted(items))
    context.add_function("getFullYear", _year)
    try:
        return cel.evaluate(expression, context) is True
    except (RuntimeError, TypeError, ValueError):
        return False


def _year(moment: datetime, zone: str) -> int:
    return moment.astimezone(ZoneInfo(zone)).year


def _unknown(schema: Schema, value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict) and "properties" in schema:
        for name, part in value.items():
            place = f"{path}.{name}" if path else name
            if name not in schema["properties"]:
                if path != "metadata":
                    yield place
            else:
                yield from _unknown(schema["properties"][name], part, place)
    if isinstance(value, list) and "items" in schema:
        for index, part in enumerate(value):
            yield from _unknown(schema["items"], part, f"{path}[{index}]")


def _duplicates(schema: Schema, value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _duplicates(schema.get("properties", {}).get(name, {}), part, f"{path}.{name}" if path else name)
    if isinstance(value, list):
        keys = schema.get("x-kubernetes-list-map-keys", ())
        unique = schema.get("x-kubernetes-list-type") in ("set", "map")
        seen: list[Any] = []
        for index, part in enumerate(value):
            yield from _duplicates(schema.get("items", {}), part, f"{path}[{index}]")
            identity = {key: part.get(key) for key in keys} if keys and isinstance(part, dict) else part
            if unique and identity in seen:
                yield f"{path}[{index}]"
            seen.append(identity)
