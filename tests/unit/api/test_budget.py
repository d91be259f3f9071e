from fairlead.api.budget import BudgetPolicySpec


def test_defaults() -> None:
    spec = BudgetPolicySpec.model_validate({"limit": {"usd": "5"}})
    assert spec.scope == "PerConsumer"
    assert spec.consumers.namespaces.from_ == "Same"
    assert (spec.routes, spec.window, spec.stages) == (None, None, ())
