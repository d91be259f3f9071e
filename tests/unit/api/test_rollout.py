from fairlead.api.rollout import Analysis, Rollout


def test_defaults() -> None:
    rollout = Rollout.model_validate({"steps": [{"traffic": "5%"}]})
    assert rollout.stickiness == "Consumer"
    assert rollout.steps[0].hold is None
    assert rollout.analysis == Analysis(min_requests=100, failure_limit=0)
