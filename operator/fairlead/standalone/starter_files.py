"""A starter as the files that people write: what `fairlead up` serves without any, and what `fairlead init` leaves."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from fairlead.api.protocol import Protocol
from fairlead.budget.public_price import declarable
from fairlead.standalone.starter import Catalogue, Entry, Source, Starter, address

REGION = "local"
INSTALLATION = "installation.yaml"
MANIFESTS = "resources"
KEY_ANYBODY_KNOWS = "fairlead"
"""What programs may send to a gateway that lets everybody in anyway: most clients insist on a key."""
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9._/-]*")
_NOT_PLAIN = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_FREE: Mapping[str, str] = {"input": "0", "output": "0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may call, and with what."""

    consumer: str
    keys: Mapping[str, str]
    """Values of its Secret by key, `${NAME}` included."""
    anonymous: bool
    """Whether callers without a key are let in, too."""
    usd_per_day: str | None
    """What the consumer may spend; None: no budget."""


def files(starter: Starter, access: Access, *, listen: str, made_by: str) -> Mapping[str, str]:
    """Return the content of each file by its path below the folder. `made_by` is the first comment of each."""
    return {
        INSTALLATION: f"# {made_by}\n{_installation(access, listen)}",
        f"{MANIFESTS}/providers.yaml": f"# {made_by}\n{_of_prices(starter)}{_providers(starter)}",
        f"{MANIFESTS}/routes.yaml": f"# {made_by}\n{_routes(starter, access)}",
        f"{MANIFESTS}/secrets.yaml": f"# {made_by}\n{_secret(access.consumer, access.keys)}",
    }


def _installation(access: Access, listen: str) -> str:
    anonymous = "Allow" if access.anonymous else "Deny"
    told = "callers without a key are let in" if access.anonymous else "callers without a key are refused"
    return f"""\
regions:
- {{name: {REGION}, geo: {REGION}, listen: "{listen}"}}
anonymous: {anonymous}    # {told}
"""


def _of_prices(starter: Starter) -> str:
    if starter.prices is None:
        return "# Prices: none, for want of a list: write yours.\n"
    return (
        f"# Prices: {starter.prices}. Public ones, of the lowest tier: yours may differ.\n"
        "# `fairlead check --prices` says where they do from the list that is installed then.\n"
    )


def _providers(starter: Starter) -> str:
    return "---\n".join(_provider(catalogue) for catalogue in starter.catalogues)


def _provider(catalogue: Catalogue) -> str:
    source = catalogue.source
    credential = f", credential: {{secretName: {source.name}, key: apiKey}}" if source.variable else ""
    lines = [
        "apiVersion: fairlead.dev/v1alpha1",
        "kind: ModelProvider",
        f"metadata: {{name: {source.name}}}",
        "spec:",
        "  allowedRoutes: {namespaces: {from: All}}",
        *([f"  protocol: {source.protocol}"] if source.protocol is not Protocol.OPENAI else []),
        "  endpoints:",
        f"  - {{name: api, baseURL: {json.dumps(source.base_url)}{_plain_http(source)}{credential}}}",
        "  models:",
        *(_model(entry, free=source.sought) for entry in catalogue.entries),
    ]
    secret = f"---\n{_secret(source.name, {'apiKey': f'${{{source.variable}}}'})}" if source.variable else ""
    return "\n".join(lines) + f"\n{secret}"


def _plain_http(source: Source) -> str:
    """Take whoever names a base URL without TLS at their word, where the next machine is meant."""
    remote = source.base_url.startswith("http://") and address(source.base_url)[0] != "127.0.0.1"
    return ", plainHTTP: Allow" if remote else ""


def _model(entry: Entry, *, free: bool) -> str:
    id_ = f", id: {_scalar(entry.id)}" if entry.id != entry.name else ""
    type_ = ", type: Embedding" if entry.embedding else ""
    prices = dict(_FREE if free else {}) if entry.price is None else dict(declarable(entry.price))
    if entry.embedding:
        prices = {name: price for name, price in prices.items() if name not in {"output", "audioOutput"}}
    listed = ", ".join(f'{name}: "{price}"' for name, price in prices.items())
    priced = f"usdPerMillionTokens: {{{listed}}}" if listed else "pricing: Unknown"
    window = f", contextWindow: {entry.price.context_window}" if entry.price and entry.price.context_window else ""
    comment = "" if entry.price or free else "    # nobody publishes a price: no budget bounds it until you write yours"
    if entry.price and entry.price.tiered:
        comment = "    # long prompts cost more"
    return f"  - {{name: {_scalar(entry.name)}{id_}{type_}, {priced}{window}}}{comment}"


def _routes(starter: Starter, access: Access) -> str:
    parts = [
        f"""\
apiVersion: fairlead.dev/v1alpha1
kind: ModelRoute
metadata: {{name: {catalogue.source.name}}}
spec:
  modelNames: ["*"]      # every name of the provider's catalogue
  primary: {{provider: {catalogue.source.name}}}
"""
        for catalogue in starter.catalogues
    ]
    keys = ", ".join(f"{{secretName: {access.consumer}, key: {key}}}" for key in access.keys)
    parts.append(f"""\
apiVersion: fairlead.dev/v1alpha1
kind: ModelConsumer
metadata: {{name: {access.consumer}}}
spec:
  keys: [{keys}]
""")
    if access.usd_per_day is not None:
        parts.append(f"""\
apiVersion: fairlead.dev/v1alpha1
kind: BudgetPolicy
metadata: {{name: daily}}
spec:
  limit: {{usd: "{access.usd_per_day}"}}     # each consumer, per day; then 429
  window: {{calendar: Day}}
""")
    return "---\n".join(parts)


def _secret(name: str, values: Mapping[str, str]) -> str:
    lines = "".join(f"  {key}: {json.dumps(value)}\n" for key, value in values.items())
    return f"apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\nstringData:\n{lines}"


def _scalar(name: str) -> str:
    """Write a name so that YAML reads the same one, in quotes only where it needs them."""
    if _PLAIN.fullmatch(name) and name.lower() not in _NOT_PLAIN:
        return name
    return json.dumps(name, ensure_ascii=False)
