"""The CRDs that the models generate, read once for all tests of this folder."""

from typing import Any

import yaml

from crd.apiserver import schema_of
from fairlead.api.crd import crds

CRDS = dict(crds())
DOCUMENTS: dict[str, dict[str, Any]] = {
    name: yaml.load(content, Loader=yaml.CSafeLoader) for name, content in CRDS.items()
}
SCHEMAS = dict(schema_of(document) for document in DOCUMENTS.values())
"""Of each kind."""
