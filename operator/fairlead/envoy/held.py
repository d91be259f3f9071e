"""What a gateway holds of what is secret: an answer for the operator, who may not read it back in any other way.

The file of keys has one key for this purpose, which changes with its content: a pod that answers `GET /fairlead/held`
by 200 to it has loaded that content. A consumer's key gets 404, any other 401. The answer names the credentials that
the pod was asked for (`FILES_HEADER`, `<secret>/<key>`, at most `MOST_FILES`) and that no request could take along.
"""

import hashlib
from importlib import resources

from fairlead.envoy import names, upstream_filter
from fairlead.envoy.layout import Layout
from fairlead.envoy.protobuf import Json, packed
from fairlead.ir import Gateway

PATH = "/fairlead/held"
FILES_HEADER, ABSENT_HEADER = "x-fairlead-files", "x-fairlead-absent"
MOST_FILES = 64
CLIENT = "fairlead read-back"
"""Whose key it is: a name that no consumer can have, so that it opens nothing else."""
SOURCE = "held"


def mark(keys: bytes) -> str:
    """Return the API key that stands for a content of the file of keys. Secret as they are: it is made from them."""
    return f"fairlead-{hashlib.sha256(keys).hexdigest()[:32]}"


def route() -> Json:
    """Make the route; the key is asked for as everywhere, and the request filter stays out of it."""
    return {
        "name": "held",
        "match": {"path": PATH, "headers": [{"name": ":method", "string_match": {"exact": "GET"}}]},
        "direct_response": {"status": 200},
        "typed_per_filter_config": {
            names.DIRECTORY_NAMESPACE: packed("envoy.extensions.filters.http.lua.v3.LuaPerRoute", {"name": SOURCE})
        },
    }


def source(gateway: Gateway, layout: Layout) -> str:
    """Read the Lua source that answers: credentials are read as attempts read them."""
    own = resources.files("fairlead.envoy").joinpath("lua", "held.lua").read_text(encoding="utf-8")
    return f"{upstream_filter.source(gateway, layout, ('names', 'credentials', 'signing'))}\n{own}"
