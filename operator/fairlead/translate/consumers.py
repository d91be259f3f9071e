"""ModelConsumer: callers, the Secrets that hold their keys, and keys that two of them hold."""

from collections.abc import Iterable
from dataclasses import dataclass

from fairlead.api import quantity
from fairlead.api.conditions import Reason
from fairlead.api.consumer import ModelConsumer
from fairlead.api.meta import ObjectKey
from fairlead.translate.audience import Caller
from fairlead.translate.diagnostics import Diagnostics, Resolved, Served
from fairlead.translate.providers import missing_secret
from fairlead.translate.references import References, SecretRef

ANONYMOUS = "anonymous"
"""Name of the consumer, in the installation's namespace, that callers without a key are."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class KeyBinding:
    """One API key, by the place where it lies, and the consumer that it makes of its holder."""

    consumer: str
    """`namespace/name`."""
    ref: SecretRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """A consumer whose references were followed."""

    key: ObjectKey
    caller: Caller
    keys: tuple[tuple[int, SecretRef], ...]
    """Keys that exist, each with its position in `spec.keys`."""
    allowed_model_names: tuple[str, ...] | None
    expires_at: int | None
    max_in_flight: int | None = None
    """Requests that it may have under way at a time; None = no limit of its own."""


def consumer(written: ModelConsumer, references: References, diagnostics: Diagnostics) -> Consumer | None:
    """Follow what a consumer refers to: Secrets of its namespace.

    A Secret that is missing is no reason to go back to an older version: the older one may name a key that was taken
    away on purpose.
    """
    namespace, name = written.metadata.namespace, written.metadata.name
    keyless = False
    if namespace == references.home and not references.home_secrets_readable:
        if name != references.anonymous:
            diagnostics.refuse(
                Reason.NAMESPACE_NOT_ALLOWED,
                "metadata.namespace",
                f"got `{namespace}`, want a namespace of a team: no Secret is read in the installation's namespace,"
                " move the consumer",
            )
            return None
        keyless = True
        diagnostics.warn("spec.keys", "not read: this consumer stands for callers without a key")
    keys = []
    for position, key in enumerate(written.spec.keys):
        ref = SecretRef(namespace, key.secret_name, key.key)
        if keyless:
            continue
        if references.secrets.is_unreadable(ref):
            diagnostics.note(
                Reason.SECRET_NOT_READABLE,
                f"spec.keys[{position}].secretName",
                f"got `{ref.name}`, which may not be read, want namespace `{namespace}` to agree, run `kubectl -n"
                f" {namespace} create rolebinding fairlead-consumer-keys --clusterrole=fairlead-consumer-keys"
                f" --serviceaccount={references.home}:fairlead`",
            )
        elif problem := references.secrets.unusable(ref):
            diagnostics.note(
                Reason.KEY_NOT_USABLE,
                f"spec.keys[{position}]",
                f"{problem} in Secret `{ref.name}`, want at most 4096 visible ASCII characters, which is what a client"
                " can send, make a new key: this one opens nothing",
            )
        elif references.secrets.fingerprint(ref) is None:
            missing_secret(ref, f"spec.keys[{position}]", "this key opens nothing", references, diagnostics)
        else:
            keys.append((position, ref))
    allowed = written.spec.allowed_model_names
    return Consumer(
        key=written.key,
        caller=Caller(namespace=namespace, name=name, labels=written.metadata.labels),
        keys=tuple(keys),
        allowed_model_names=None if allowed is None else tuple(sorted(allowed)),
        expires_at=None if written.spec.expires_at is None else quantity.unix_seconds(written.spec.expires_at),
        max_in_flight=written.spec.max_in_flight,
    )


def bindings(resolved: Iterable[Resolved[Consumer]], references: References) -> tuple[KeyBinding, ...]:
    """Bind each key to its consumer. A key that two consumers hold opens neither, and both are told."""
    serving = [(r.diagnostics, r.value) for r in resolved if r.value is not None and r.served is not Served.NOTHING]
    holders: dict[str, set[ObjectKey]] = {}
    for _, value in serving:
        for _, ref in value.keys:
            holders.setdefault(_fingerprint(ref, references), set()).add(value.key)
    bound = []
    for diagnostics, value in serving:
        own: set[str] = set()
        for position, ref in value.keys:
            fingerprint = _fingerprint(ref, references)
            others = sorted(holders[fingerprint] - {value.key})
            if others:
                names = ", ".join(f"`{other.namespace}/{other.name}`" for other in others)
                diagnostics.contest(
                    Reason.DUPLICATE_KEY,
                    f"spec.keys[{position}]",
                    f"got a key that consumer {names} holds too, want a key of its own, make a new one: this one"
                    " opens neither",
                )
            elif fingerprint in own:
                diagnostics.warn(f"spec.keys[{position}]", "got the same key once more, want each once")
            else:
                bound.append(KeyBinding(consumer=str(value.caller), ref=ref))
            own.add(fingerprint)
    return tuple(sorted(bound))


def _fingerprint(ref: SecretRef, references: References) -> str:
    return references.secrets.fingerprint(ref) or ""
