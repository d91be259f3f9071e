from fairlead.api.route import ModelRouteSpec, Timeouts


def test_defaults() -> None:
    spec = ModelRouteSpec.model_validate({"primary": {"provider": "p", "model": "m"}})
    assert spec.residency == "Any"
    assert spec.consumers.namespaces.from_ == "Same"
    assert spec.timeouts == Timeouts(first_byte="8s", response="60s", stream_idle="60s", request="300s")
    assert (spec.fallbacks, spec.rules) == ((), ())
    assert {
        spec.model_names,
        spec.regions,
        spec.downgrade_to,
        spec.max_attempts,
        spec.max_output_tokens,
        spec.shadow,
        spec.rollout,
        spec.classifier,
        spec.cascade,
        spec.cache,
    } == {None}


def test_parts_of_one_timeouts_mapping_keep_the_other_defaults() -> None:
    spec = ModelRouteSpec.model_validate({"primary": {"provider": "p"}, "timeouts": {"request": "10m"}})
    assert spec.timeouts == Timeouts(request="10m")
