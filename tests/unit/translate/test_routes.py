from typing import Any

import pytest

import builders
from builders import EU_WEST, HOME, US, decoded, embedding, endpoint, model, references, said, target
from fairlead import ir
from fairlead.translate.candidates import Candidates, ModelReference
from fairlead.translate.diagnostics import Diagnostics, Standing
from fairlead.translate.providers import provider
from fairlead.translate.routes import EXACT, Claim, Route, route

CATALOGUE = [model("small"), model("large"), model("qwen/a"), model("qwen/b"), embedding("bge")]


def run(written: dict[str, Any], *providers: dict[str, Any]) -> tuple[Route | None, Diagnostics]:
    around = references()
    found = {}
    for one in providers or (builders.provider("p", models=CATALOGUE),):
        resolved = provider(decoded(one), around, Diagnostics())
        assert resolved is not None
        found[resolved.name] = resolved
    diagnostics = Diagnostics()
    return route(decoded(written), around, found, diagnostics), diagnostics


def claims(written: dict[str, Any]) -> dict[str, int]:
    found, _ = run(written)
    assert found is not None
    return {claim.name: claim.specificity for claim in found.claims}


SMALL = target("p", "small")
ANY = target("p")


@pytest.mark.parametrize(
    ("written", "expected", "reason"),
    [
        (builders.route("chat", SMALL), {"chat": EXACT}, "the name of the object"),
        (builders.route("chat", SMALL, modelNames=["b", "A"]), {"A": EXACT, "b": EXACT}, "as written, sorted"),
        (
            builders.route("r", ANY, modelNames=["*"]),
            dict.fromkeys(["bge", "large", "qwen/a", "qwen/b", "small"], 0),
            "the catalogue, both types",
        ),
        (builders.route("r", ANY, modelNames=["qwen/*"]), {"qwen/a": 5, "qwen/b": 5}, "a prefix"),
        (
            builders.route("r", ANY, modelNames=["q*", "qwen/a*"]),
            {"qwen/a": 6, "qwen/b": 1},
            "the longest prefix counts",
        ),
        (
            builders.route("r", SMALL, modelNames=["qwen/*", "qwen/a"]),
            {"qwen/a": EXACT, "qwen/b": 5},
            "written in full beats a prefix of the same route, whatever comes first",
        ),
        (
            builders.route("r", SMALL, modelNames=["*"]),
            dict.fromkeys(["large", "qwen/a", "qwen/b", "small"], 0),
            "names that share one model are of its type",
        ),
        (builders.route("r", target("p", "bge"), modelNames=["*"]), {"bge": 0}, "the same for vectors"),
    ],
)
def test_claims(written: dict[str, Any], expected: dict[str, int], reason: str) -> None:
    assert claims(written) == expected, reason


def test_a_claim_knows_where_it_is_written() -> None:
    found, _ = run(builders.route("chat", SMALL, modelNames=["a", "b"]))
    default, _ = run(builders.route("chat", SMALL))
    assert found is not None
    assert default is not None
    assert [found.path_of(claim) for claim in found.claims] == ["spec.modelNames[0]", "spec.modelNames[1]"]
    assert default.claims == (Claim(name="chat", specificity=EXACT, written=-1),)
    assert default.path_of(default.claims[0]) == "metadata.name"


def test_everything_that_is_plain_is_carried_over() -> None:
    found, diagnostics = run(
        builders.route(
            "chat",
            SMALL,
            regions=[EU_WEST, US],
            residency="Geo",
            maxAttempts=3,
            maxOutputTokens=2000,
            timeouts={"firstByte": "1s", "response": "2s", "streamIdle": "3s", "request": "4s"},
            shadow={**target("p", "large"), "sample": "2.5%"},
            rollout={"stickiness": "Request", "steps": [{"traffic": "10%"}]},
            downgradeTo="cheap",
            metadata={"creationTimestamp": "2026-01-01T00:00:00Z"},
        )
    )
    assert said(diagnostics) == []
    assert found is not None
    assert found.name == "team-web/chat"
    assert found.created == 1767225600
    assert found.regions == (US, EU_WEST), "in the installation's order"
    assert found.regions_written
    assert (found.max_attempts, found.max_output_tokens, found.downgrade_to) == (3, 2000, "cheap")
    assert found.timeouts == ir.Timeouts(first_byte_ms=1000, response_ms=2000, stream_idle_ms=3000, request_ms=4000)
    assert found.stickiness is ir.Stickiness.REQUEST
    assert found.shadow is not None
    assert (found.shadow.candidate, found.shadow.sample) == (ModelReference(provider="p", model="large"), 250)
    assert found.candidates == {
        "": Candidates(kind=ir.ModelKind.CHAT, models=(ModelReference(provider="p", model="small"),))
    }


def test_older_is_less_and_undated_comes_last() -> None:
    dates = ["2026-01-02T00:00:00Z", None, "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"]
    found = [
        run(builders.route(name, SMALL, metadata={} if date is None else {"creationTimestamp": date}))[0]
        for name, date in zip("abcd", dates, strict=True)
    ]
    assert [one.key.name for one in sorted(filter(None, found), key=lambda one: one.age)] == ["c", "d", "a", "b"]


@pytest.mark.parametrize(
    ("spec", "expected", "standing", "reason"),
    [
        (
            {"consumers": {"namespaces": {"from": "All"}}},
            (
                "NamespaceNotAllowed spec.consumers.namespaces.from: got `All` in namespace `team-web`, want `Same`:"
                " only objects of namespace `fairlead` may mean consumers of other namespaces"
            ),
            Standing.NOT_AT_ALL,
            "no team captures another's prompts",
        ),
        (
            {"regions": [US, "mars"]},
            (
                "RegionNotFound spec.regions[1]: got `mars`, want a region of the installation (`eu-central-1`,"
                " `eu-west-1`, `us-east-1`)"
            ),
            Standing.PARTLY,
            "the other region serves",
        ),
        (
            {"regions": ["mars"]},
            (
                "RegionNotFound spec.regions[0]: got `mars`, want a region of the installation (`eu-central-1`,"
                " `eu-west-1`, `us-east-1`)"
            ),
            Standing.NOT_AT_ALL,
            "no region is left",
        ),
        (
            {"primary": ANY, "modelNames": ["gpt-*", "qwen/*"]},
            (
                "ModelNotFound spec.modelNames[0]: got `gpt-*`, want the beginning of a name that its provider serves"
                " (`bge`, `large`, `qwen/a`, `qwen/b`, `small`)"
            ),
            Standing.PARTLY,
            "the other pattern serves",
        ),
    ],
)
def test_what_a_route_gets_wrong(spec: dict[str, Any], expected: str, standing: Standing, reason: str) -> None:
    written = builders.route("chat", SMALL)
    merged = {**written["spec"], **spec}
    written["spec"] = {name: value for name, value in merged.items() if value is not None}
    _, diagnostics = run(written)
    assert said(diagnostics) == [expected], reason
    assert diagnostics.standing is standing, reason


def test_the_installations_namespace_may_share() -> None:
    found, diagnostics = run(
        builders.route("chat", SMALL, namespace=HOME, consumers={"namespaces": {"from": "All"}}),
    )
    assert said(diagnostics) == []
    assert found is not None
    assert found.audience.shared


def test_a_name_that_only_a_provider_out_of_reach_has_is_not_told() -> None:
    found, diagnostics = run(
        builders.route("r", target("p"), modelNames=["*"]),
        builders.provider("p", endpoints=[endpoint("e", US)], allowedRoutes={"namespaces": {"from": "Same"}}),
    )
    assert found is not None
    assert found.claims == ()
    assert diagnostics.standing is Standing.NOT_AT_ALL
    assert "small" not in " ".join(said(diagnostics))


def test_in_a_wildcard_route_a_name_written_in_full_is_one_of_the_catalogue() -> None:
    # decode refuses it; what does not come from decode is no reason to fail
    written = decoded(builders.route("r", ANY, modelNames=["*"]))
    spec = written.spec.model_copy(update={"model_names": ("small", "unknown")})
    around = references()
    found = provider(decoded(builders.provider("p", models=CATALOGUE)), around, Diagnostics())
    assert found is not None
    resolved = route(written.model_copy(update={"spec": spec}), around, {"p": found}, Diagnostics())
    assert resolved is not None
    assert [claim.name for claim in resolved.claims] == ["small"]
