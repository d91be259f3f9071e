from typing import Any

import pytest

import builders
from builders import US, decoded, embedding, endpoint, model, references, said, target
from fairlead import ir
from fairlead.api.route import ModelRouteSpec
from fairlead.translate.candidates import ModelReference, Resolver
from fairlead.translate.diagnostics import Diagnostics, Standing
from fairlead.translate.providers import provider

PROVIDERS = (
    builders.provider("p", models=[model("small"), model("large"), embedding("bge"), embedding("other")]),
    builders.provider("q", models=[model("small"), embedding("bge"), model("own")]),
    builders.provider("swapped", models=[embedding("small"), model("bge")]),
    builders.provider("empty", endpoints=[endpoint("e", US, models=[{"name": "a"}])], models=[model("a"), model("b")]),
    builders.provider("closed", allowedRoutes={"namespaces": {"from": "Same"}}),
)


def resolver() -> Resolver:
    around = references()
    found = [provider(decoded(one), around, Diagnostics()) for one in PROVIDERS]
    return Resolver(
        namespace="team-web",
        references=around,
        providers={one.name: one for one in found if one is not None},
        diagnostics=Diagnostics(),
    )


def spec(primary: dict[str, Any], *fallbacks: dict[str, Any], **fields: Any) -> ModelRouteSpec:
    written = builders.route("r", primary, fallbacks=list(fallbacks), **fields)
    found: ModelRouteSpec = decoded(written).spec
    return found


def models(*pairs: tuple[str, str]) -> tuple[ModelReference, ...]:
    return tuple(ModelReference(provider=provider_name, model=model_name) for provider_name, model_name in pairs)


@pytest.mark.parametrize(
    ("written", "expected", "reason"),
    [
        (spec(target("p", "small")), [("p", "small")], "the primary alone"),
        (
            spec(target("p", "small"), target("p", "large"), target("q", "own")),
            [("p", "small"), ("p", "large"), ("q", "own")],
            "in the order written",
        ),
        (spec(target("p", "small"), target("q")), [("p", "small"), ("q", "small")], "the primary's model elsewhere"),
        (spec(target("p", "bge"), target("q")), [("p", "bge"), ("q", "bge")], "the same vectors elsewhere"),
        (spec(target("nobody", "x"), target("p", "large")), [("p", "large")], "what is left serves"),
        (spec(target("nobody", "bge"), target("p", "bge")), [("p", "bge")], "vectors: the same model is left"),
    ],
)
def test_menu(written: ModelRouteSpec, expected: list[tuple[str, str]], reason: str) -> None:
    candidates = resolver().candidates(written)
    assert candidates is not None
    assert candidates.models == models(*expected), reason


@pytest.mark.parametrize(
    ("written", "expected", "reason"),
    [
        (
            spec(target("nobody", "x")),
            (
                "ProviderNotFound spec.primary.provider: got `nobody`, want a ModelProvider of namespace `fairlead`"
                " (`empty`, `p`, `q`, `swapped`)"
            ),
            "only providers that may be used are told",
        ),
        (
            spec(target("closed", "small")),
            (
                "ProviderNotAllowed spec.primary.provider: got `closed`, which does not allow routes of namespace"
                " `team-web`, want one that does, add the namespace to its `spec.allowedRoutes`"
            ),
            "the handshake",
        ),
        (
            spec(target("p", "smal")),
            (
                "ModelNotFound spec.primary.model: got `smal`, want a model of provider `p` (`bge`, `large`, `other`,"
                " `small`), did you mean `small`"
            ),
            "a typing error",
        ),
        (
            spec(target("empty", "b")),
            "ModelNotFound spec.primary.model: got `b`, which no endpoint of provider `empty` serves, want one of `a`",
            "in the catalogue, but nowhere served",
        ),
        (
            spec(target("p", "small"), target("p", "bge")),
            (
                "ModelTypeMismatch spec.fallbacks[0].model: got `bge` of type `Embedding`, want a model of the"
                " primary's type, `Chat`"
            ),
            "another type",
        ),
        (
            spec(target("p", "bge"), target("p", "other")),
            (
                "ModelTypeMismatch spec.fallbacks[0].model: got `other`, want `bge` at another provider: vectors of"
                " another model do not fit those that were stored"
            ),
            "never another model's vectors",
        ),
        (
            spec(target("p", "small"), target("p", "large"), target("p", "large")),
            "spec.fallbacks[1]: got `p/large` once more, want each model once",
            "a ladder never repeats a target",
        ),
    ],
)
def test_what_a_menu_lacks_is_said(written: ModelRouteSpec, expected: str, reason: str) -> None:
    one = resolver()
    one.candidates(written)
    assert said(one.diagnostics) == [expected], reason


def test_no_menu_without_a_primary_model() -> None:
    assert resolver().candidates(spec(target("p"), modelNames=["*"])) is None


def test_menu_per_name_asks_the_same_name_elsewhere() -> None:
    one = resolver()
    written = spec(target("p"), target("q"), target("q", "own"), modelNames=["*"])
    candidates = one.candidates_per_name(written, ("bge", "large", "small"))
    assert said(one.diagnostics) == []
    assert {name: candidates.models for name, candidates in candidates.items()} == {
        "bge": models(("p", "bge"), ("q", "bge")),
        "large": models(("p", "large"), ("q", "own")),
        "small": models(("p", "small"), ("q", "small"), ("q", "own")),
    }
    assert candidates["bge"].kind is ir.ModelKind.EMBEDDING


@pytest.mark.parametrize(
    ("fallback", "names", "expected", "standing", "reason"),
    [
        (
            target("swapped"),
            ("small", "bge"),
            (
                "ModelNotFound spec.fallbacks[0].provider: got `swapped`, which serves none of the route's names, want"
                " a provider that does, or add `model`"
            ),
            Standing.PARTLY,
            "the same names make something else there",
        ),
        (
            target("p", "other"),
            ("small", "bge"),
            (
                "ModelTypeMismatch spec.fallbacks[0].model: got `other` of type `Embedding`, which can stand in for"
                " none of the route's names, want a model of their type; for vectors only the same model will do"
            ),
            Standing.PARTLY,
            "vectors of another model",
        ),
        (
            target("p"),
            ("small", "bge"),
            "spec.fallbacks[0]: got what the primary or another fallback is already, want each model once",
            Standing.WHOLE,
            "the primary itself",
        ),
        (
            target("nobody"),
            ("small",),
            (
                "ProviderNotFound spec.fallbacks[0].provider: got `nobody`, want a ModelProvider of namespace"
                " `fairlead` (`empty`, `p`, `q`, `swapped`)"
            ),
            Standing.PARTLY,
            "no such provider",
        ),
        (
            target("q", "gone"),
            ("small",),
            "ModelNotFound spec.fallbacks[0].model: got `gone`, want a model of provider `q` (`bge`, `own`, `small`)",
            Standing.PARTLY,
            "no such model",
        ),
    ],
)
def test_fallbacks_that_fit_no_name(
    fallback: dict[str, Any], names: tuple[str, ...], expected: str, standing: Standing, reason: str
) -> None:
    one = resolver()
    candidates = one.candidates_per_name(spec(target("p"), fallback, modelNames=["*"]), names)
    assert said(one.diagnostics) == [expected], reason
    assert one.diagnostics.standing is standing, reason
    assert all(len(candidates.models) == 1 for candidates in candidates.values())


def test_no_menus_without_a_provider_or_names() -> None:
    assert resolver().candidates_per_name(spec(target("nobody"), modelNames=["*"]), ("a",)) == {}
    assert resolver().candidates_per_name(spec(target("p"), modelNames=["*"]), ()) == {}


CHAT, EMBEDDING = ir.ModelKind.CHAT, ir.ModelKind.EMBEDDING


@pytest.mark.parametrize(
    ("model_name", "kinds", "expected", "message"),
    [
        ("large", {CHAT}, True, []),
        ("bge", {EMBEDDING}, True, []),
        ("large", set(), True, []),
        (
            "bge",
            {CHAT},
            False,
            [
                (
                    "ModelTypeMismatch spec.shadow.model: got `bge` of type `Embedding`, want the type of every name of"
                    " the route (`Chat`)"
                )
            ],
        ),
        (
            "large",
            {CHAT, EMBEDDING},
            False,
            [
                (
                    "ModelTypeMismatch spec.shadow.model: got `large` of type `Chat`, want the type of every name of"
                    " the route (`Chat`, `Embedding`)"
                )
            ],
        ),
    ],
)
def test_a_shadow_makes_what_the_route_makes(
    model_name: str, kinds: set[ir.ModelKind], expected: bool, message: list[str]
) -> None:
    one = resolver()
    shadow = spec(target("p", "small"), shadow={**target("p", model_name), "sample": "5%"}).shadow
    assert shadow is not None
    assert (one.shadow(shadow, frozenset(kinds)) is not None) is expected
    assert said(one.diagnostics) == message
