from fairlead.api.consumer import ModelConsumerSpec


def test_defaults() -> None:
    spec = ModelConsumerSpec.model_validate({"keys": [{"secretName": "agent-7"}]})
    assert spec.keys[0].key == "apiKey"
    assert spec.allowed_model_names is None
    assert spec.expires_at is None
