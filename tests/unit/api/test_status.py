from fairlead.api.conditions import Reason
from fairlead.api.schema import of_part
from fairlead.api.status import ModelRouteStatus, Status
from fairlead.api.validation import judge


def test_what_the_operator_writes_is_well_formed() -> None:
    condition = {
        "type": "Accepted",
        "status": "False",
        "reason": Reason.NAME_CONFLICT.value,
        "message": "got `chat`, which route `team-web/chat` answers, want another name",
        "lastTransitionTime": "2026-11-21T12:00:00Z",
        "observedGeneration": 2,
    }
    gateway = {"region": "eu-west-1", "observedGeneration": 2, "digest": "00ff", "target": "p/us/m"}
    status = {
        "observedGeneration": 2,
        "conditions": [condition],
        "gateways": [gateway],
        "servedIn": "eu-west-1",
        "stable": {"provider": "p", "model": "m"},
    }
    assert judge(of_part(ModelRouteStatus), status, "status")[1] == ()


def test_every_reason_fits_its_field() -> None:
    field = next(f for f in of_part(Status).properties if f.name == "conditions").node.items
    assert field is not None
    reason = next(f for f in field.properties if f.name == "reason").node
    assert all(judge(reason, word.value, "reason")[1] == () for word in Reason)
