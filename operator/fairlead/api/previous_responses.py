"""Whether requests may go on from answers that a provider keeps, and what their ids are signed by."""

from typing import Annotated, Any

from fairlead.api.form import Items, SecretEntry, SecretName
from fairlead.api.protocol import Protocol
from fairlead.api.resource import Part
from fairlead.api.rule import Rule


class SigningKey(Part):
    """Where a secret lies that ids of answers are signed by. Gateways mount it; nobody copies it."""

    secret_name: SecretName
    """A Secret of this namespace, the same in each cluster whose gateways are to go on from each other's answers."""
    key: SecretEntry = "key"
    """The key of the Secret: at least 32 bytes that nobody can guess, such as of `openssl rand -hex 32`. A shorter one
    counts as absent."""


class PreviousResponses(Part):
    """How requests go on from answers that the provider keeps."""

    signed_by: Annotated[tuple[SigningKey, ...], Items(max_items=4, min_items=1)]
    """The first that is there signs; ids that another one signed are believed, too: put a new one behind the old, then
    in front when every gateway has mounted it, and take the old one away when its answers are gone."""


def _elsewhere(spec: Any) -> bool:
    return "previousResponses" in spec and spec["protocol"] not in {Protocol.OPENAI, Protocol.AZURE_OPENAI}


def _windowless(spec: Any) -> tuple[str, ...]:
    if "previousResponses" not in spec:
        return ()
    return tuple(
        f"models[{number}].contextWindow"
        for number, model in enumerate(spec["models"])
        if model["type"] == "Chat" and "contextWindow" not in model
    )


RULES = (
    Rule(
        holds=lambda value: not _elsewhere(value),
        cel="!has(self.previousResponses) || self.protocol in ['OpenAI', 'AzureOpenAI']",
        message="got answers to go on from of an API without `/v1/responses`, want `protocol` `OpenAI` or"
        " `AzureOpenAI`, remove it",
        reads=("protocol", "previousResponses"),
        field="previousResponses",
    ),
    Rule(
        places=_windowless,
        cel="!has(self.previousResponses) || self.models.all(model, model.type != 'Chat' || has(model.contextWindow))",
        message="got no context window of a model whose answers can be gone on from, want it: budgets reserve as much,"
        " since what the provider keeps is input, write how many tokens it has",
        reads=("previousResponses", "models"),
    ),
)
"""What a provider is held against."""
