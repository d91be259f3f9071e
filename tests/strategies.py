"""Worlds for properties: small alphabets, so that names meet, conflict, match and miss."""

from typing import Any

from hypothesis import strategies as st

from builders import HOME, REGIONS, budget, consumer, embedding, endpoint, model, namespace, provider, route, target
from fairlead.translate import SecretRef

Manifest = dict[str, Any]

NAMESPACES = [HOME, "team-a", "team-b"]
PROVIDERS = ["p", "q", "r"]
MODELS = ["chat", "qwen/a", "qwen/b", "llama", "a b", "a%20b"]
VECTORS = ["bge", "qwen/vectors"]
NAMES = ["chat", "qwen/a", "bge", "gpt-4o"]
PATTERNS = ["*", "qwen/*", "q*", "gpt-*", "a *", "~, (é)"]
ENDPOINT_REGIONS = [None, *(region["name"] for region in (*REGIONS, *REGIONS)), "mars"]
TIERS = ["pro", "free"]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
"""Anything that a file may hold where something else is wanted."""

selectors = st.one_of(
    st.builds(lambda tier: {"matchLabels": {"tier": tier}}, st.sampled_from(TIERS)),
    st.builds(
        lambda operator: {"matchExpressions": [{"key": "tier", "operator": operator, "values": ["pro"]}]},
        st.sampled_from(["In", "NotIn"]),
    ),
    st.builds(
        lambda operator: {"matchExpressions": [{"key": "team", "operator": operator}]},
        st.sampled_from(["Exists", "DoesNotExist"]),
    ),
    st.just({}),
)
labels = st.fixed_dictionaries({}, optional={"tier": st.sampled_from(TIERS), "team": st.just("web")})
namespace_choices = st.one_of(
    st.just({"from": "All"}),
    st.just({"from": "Same"}),
    st.builds(lambda selector: {"from": "Selector", "selector": selector}, selectors),
)


def _sometimes(draw: st.DrawFn) -> bool:
    return draw(st.integers(0, 4)) == 4


@st.composite
def _providers(draw: st.DrawFn, name: str) -> Manifest:
    left_out = draw(st.sets(st.sampled_from(MODELS[1:] + VECTORS), max_size=3))
    models = [model(one) for one in MODELS if one not in left_out]
    models += [embedding(one) for one in VECTORS if one not in left_out]
    names = [one["name"] for one in models]
    endpoints = []
    for number in range(draw(st.integers(1, 4))):
        fields: Manifest = {}
        if _sometimes(draw):
            served = draw(st.lists(st.sampled_from(names), unique=True, min_size=1))
            fields["models"] = [{"name": one, "id": f"{one}-{number}"} for one in served]
        if draw(st.booleans()):
            fields["credential"] = {"secretName": draw(st.sampled_from(["s", "t"]))}
        endpoints.append(endpoint(f"e{number}", draw(st.sampled_from(ENDPOINT_REGIONS)), **fields))
    return provider(
        name,
        endpoints=endpoints,
        models=models,
        allowedRoutes={"namespaces": draw(namespace_choices) if _sometimes(draw) else {"from": "All"}},
    )


@st.composite
def _targets(draw: st.DrawFn) -> Manifest:
    return target(draw(st.sampled_from(PROVIDERS)), draw(st.sampled_from([*MODELS, *VECTORS, *MODELS, "gone"])))


@st.composite
def _names(draw: st.DrawFn) -> Manifest:
    """What answers which names: a wildcard route without a model, or names that share one."""
    primary = draw(_targets())
    if _sometimes(draw):
        patterns = draw(st.lists(st.sampled_from(PATTERNS), unique=True, min_size=1, max_size=3))
        return {"primary": target(primary["provider"]), "modelNames": patterns}
    if draw(st.booleans()):
        return {"primary": primary}
    names = draw(st.lists(st.sampled_from(NAMES + PATTERNS), unique=True, min_size=1, max_size=3))
    return {"primary": primary, "modelNames": names}


@st.composite
def _audiences(draw: st.DrawFn, own: str) -> Manifest:
    chosen: Manifest = {"namespaces": draw(namespace_choices)} if own == HOME and draw(st.booleans()) else {}
    match draw(st.integers(0, 4)):
        case 0:
            chosen["selector"] = draw(selectors)
        case 1:
            chosen["names"] = draw(st.lists(st.sampled_from(["c0", "c1", "c2"]), unique=True, min_size=1))
    return {"consumers": chosen} if chosen else {}


_limits = st.fixed_dictionaries(
    {},
    optional={
        "fallbacks": st.lists(_targets() | st.builds(target, st.sampled_from(PROVIDERS)), min_size=1, max_size=3),
        "regions": st.lists(st.sampled_from([region["name"] for region in REGIONS]), unique=True, min_size=1),
        "residency": st.sampled_from(["Any", "Geo", "Region"]),
        "shadow": st.builds(lambda one: {**one, "sample": "5%"}, _targets()),
        "maxAttempts": st.integers(1, 16),
        "downgradeTo": st.sampled_from(["r0", "r9"]),
        "rules": st.lists(
            st.builds(
                lambda name, when, leads: {"name": name, "when": when, "route": leads},
                st.sampled_from(["a", "b", "c"]),
                st.sampled_from([{"images": True}, {"lastUserContains": ["A|b"]}, {"promptTokens": {"below": 9}}]),
                st.sampled_from(["r0", "r1", "r2", "r9"]),
            ),
            min_size=1,
            max_size=3,
            unique_by=lambda rule: str(rule["name"]),
        ),
    },
)
_dates = st.fixed_dictionaries(
    {}, optional={"creationTimestamp": st.sampled_from([f"2026-01-0{n}T00:00:00Z" for n in (1, 2)])}
)


@st.composite
def _routes(draw: st.DrawFn, name: str) -> Manifest:
    own = draw(st.sampled_from(NAMESPACES))
    spec = {**draw(_limits), **draw(_audiences(own)), **draw(_names())}
    first = spec["primary"].get("model")
    if first and any(one.get("model", first) != first for one in spec.get("fallbacks", ())) and draw(st.booleans()):
        spec["cascade"] = {"accept": {"contains": ["A|b"]}}
    return route(name, spec.pop("primary"), namespace=own, metadata=draw(_dates), **spec)


@st.composite
def _consumers(draw: st.DrawFn, name: str) -> Manifest:
    spec: Manifest = {"keys": [{"secretName": f"k{draw(st.integers(0, 4))}"}]}
    if draw(st.booleans()):
        spec["allowedModelNames"] = draw(st.lists(st.sampled_from(NAMES + PATTERNS), unique=True, min_size=1))
    return consumer(name, namespace=draw(st.sampled_from(NAMESPACES)), labels=draw(labels), **spec)


@st.composite
def worlds(draw: st.DrawFn) -> list[Manifest]:
    """Objects of all kinds, each once. All can be decoded; not all references lead somewhere."""
    found = [draw(_providers(name)) for name in PROVIDERS[: draw(st.integers(2, 3))]]
    found += [draw(_routes(f"r{number}")) for number in range(draw(st.integers(1, 8)))]
    found += [draw(_consumers(f"c{number}")) for number in range(draw(st.integers(1, 4)))]
    found += [namespace(name, **draw(labels)) for name in draw(st.lists(st.sampled_from(NAMESPACES), unique=True))]
    if draw(st.booleans()):
        found.append(budget("b", routes=["r0"], consumers={"selector": draw(selectors)}))
    return found


SECRETS = {SecretRef(space, f"k{number}", "apiKey"): f"{number % 3}" for space in NAMESPACES for number in range(4)} | {
    SecretRef(HOME, "s", "apiKey"): "s"
}
"""Fingerprints of the Secrets that exist in every world; some hold the same key."""


@st.composite
def garbage(draw: st.DrawFn, manifest: Manifest) -> Manifest:
    """The same object with its spec broken so that it cannot be decoded."""
    spec = dict(manifest["spec"])
    kind = draw(st.integers(0, 2))
    if kind == 0:
        spec["unknownField"] = draw(json_values)
    elif kind == 1:
        spec[draw(st.sampled_from(sorted(spec)))] = draw(st.just(7) | st.just("???") | st.none())
    else:
        return {**manifest, "spec": draw(st.just([]) | st.just("???"))}
    return {**manifest, "spec": spec}
