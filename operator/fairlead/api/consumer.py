"""ModelConsumer: who calls."""

from typing import Annotated, Any, ClassVar

from fairlead.api.form import Items, ListType, ModelNamePattern, Number, SecretEntry, SecretName, Time
from fairlead.api.resource import Part, Resource
from fairlead.api.rule import Rule, repeated


class ConsumerKey(Part):
    """Where an API key of the consumer lies."""

    secret_name: SecretName
    """A Secret of this namespace. The operator reads Secrets by name and never lists them."""
    key: SecretEntry = "apiKey"
    """The key of the Secret that holds the API key."""


def _repeated_keys(spec: Any) -> tuple[str, ...]:
    return tuple(f"keys[{index}]" for index in repeated((key["secretName"], key["key"]) for key in spec["keys"]))


class ModelConsumerSpec(Part):
    """How a caller is known, and what it may call."""

    keys: Annotated[tuple[ConsumerKey, ...], Items(max_items=4, min_items=1)]
    """The consumer's API keys, each as good as the others: two while one rotates. A key that two consumers hold opens
    neither."""
    allowed_model_names: Annotated[
        tuple[ModelNamePattern, ...] | None,
        Items(max_items=256, min_items=1, list_type=ListType.SET, absent="leave it out for all names"),
    ] = None
    """Names that the consumer may ask for, as clients write them: exact, with a prefix (`qwen/*`) or `*`. Absent:
    all."""
    expires_at: Time | None = None
    """From this time on the consumer's keys are refused, by every gateway on its own. Absent: never."""
    max_in_flight: Annotated[int, Number(minimum=1, maximum=10_000)] | None = None
    """Requests that it may have in flight at a time, at all gateways whose budget servers share a store; one more gets
    429 `too_many_in_flight`. Absent: no limit of its own."""

    constraints: ClassVar = (
        Rule(
            places=_repeated_keys,
            cel="self.keys.all(a, self.keys.exists_one(b, a.secretName == b.secretName && a.key == b.key))",
            message="got the same `secretName` and `key` twice, want each once, remove one",
            reads=("keys",),
            field="keys",
        ),
    )


class ModelConsumer(Resource):
    """Who calls: a caller with API keys of its own. Its labels are what routes and budgets select by."""

    kind: ClassVar[str] = "ModelConsumer"
    plural: ClassVar[str] = "modelconsumers"
    short_name: ClassVar[str] = "mcon"

    spec: ModelConsumerSpec
    """How the caller is known, and what it may call."""
