"""Fields that are accepted but that this version gives no effect, so that nothing is silently ignored."""

from fairlead.api.problem import Problem
from fairlead.api.provider import ModelProvider
from fairlead.api.resource import Resource
from fairlead.api.route import ModelRoute

_NOT_YET = "not enforced yet: this version accepts it and gives it no effect"
_RESERVED = "reserved: a later version gives it an effect, the route answers nothing until then"


def pending(resource: Resource) -> tuple[Problem, ...]:
    """Return a warning for each field of an object that is written, well-formed and without effect."""
    if isinstance(resource, ModelProvider):
        return (Problem("spec.healthCheck", _NOT_YET),) if "health_check" in resource.spec.model_fields_set else ()
    if isinstance(resource, ModelRoute):
        spec = resource.spec
        fields = (
            ("rollout", spec.rollout, _NOT_YET),
            ("rules", spec.rules, _RESERVED),
            ("classifier", spec.classifier, _RESERVED),
        )
        return tuple(Problem(f"spec.{name}", message) for name, value, message in fields if value is not None)
    return ()
