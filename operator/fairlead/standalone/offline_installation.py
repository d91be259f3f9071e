"""An installation for `fairlead check` without one: the regions that the manifests themselves name."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fairlead.api.installation import Installation, Region

DEFAULT_NAMESPACE = "fairlead"
DEFAULT_REGION = "local"
NAME = re.compile(r"(?=.{1,63}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def offline_installation(documents: Iterable[Mapping[str, Any]]) -> Installation:
    """Assume an installation whose regions are all those that providers and routes name, sorted.

    A region's geo is what stands before its first `-`, which holds for the names of the large clouds. The namespace is
    the one where all providers live, if there is one.
    """
    regions: set[str] = set()
    namespaces: set[str] = set()
    for document in documents:
        spec, metadata = _mapping(document.get("spec")), _mapping(document.get("metadata"))
        if document.get("kind") == "ModelProvider":
            regions.update(_names(_mapping(endpoint).get("region") for endpoint in _list(spec.get("endpoints"))))
            namespaces.update(_names([metadata.get("namespace", DEFAULT_NAMESPACE)]))
        elif document.get("kind") == "ModelRoute":
            regions.update(_names(_list(spec.get("regions"))))
    return Installation(
        namespace=namespaces.pop() if len(namespaces) == 1 else DEFAULT_NAMESPACE,
        regions=tuple(Region(name=name, geo=name.partition("-")[0]) for name in sorted(regions or {DEFAULT_REGION})),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _names(values: Iterable[object]) -> Iterator[str]:
    """Keep what can be the name of a region or namespace; what cannot is the decoder's to refuse."""
    return (value for value in values if isinstance(value, str) and NAME.fullmatch(value))
