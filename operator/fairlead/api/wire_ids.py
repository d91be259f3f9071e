"""The names of a provider's models on the wire, and where they are written."""

from collections.abc import Iterator
from typing import Any


def wire_ids(spec: Any) -> Iterator[tuple[str, str]]:
    """Yield each place of a provider's spec that says what a served model is called on the wire, and the name."""
    catalogue = {
        model["name"]: (f"models[{number}].{'id' if 'id' in model else 'name'}", model.get("id", model["name"]))
        for number, model in enumerate(spec["models"])
    }
    for index, endpoint in enumerate(spec["endpoints"]):
        if "models" not in endpoint:
            yield from catalogue.values()
        for number, entry in enumerate(endpoint.get("models", ())):
            if "id" in entry:
                yield f"endpoints[{index}].models[{number}].id", entry["id"]
            elif entry["name"] in catalogue:
                yield catalogue[entry["name"]]
