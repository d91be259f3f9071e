"""What `fairlead up` serves without a file: from the environment and from what providers list. Pure.

`sources` says where providers may be, by the variables that their own clients read. `starter` makes one catalogue for
each that listed models. `starter_files` writes it as the files that people write.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from fairlead.api.protocol import Protocol
from fairlead.budget.public_price import PublicPrice, PublicPrices, maker

OPENAI = "https://api.openai.com/v1"
ANTHROPIC = "https://api.anthropic.com"
OPENROUTER = "https://openrouter.ai/api/v1"
OLLAMA = "http://127.0.0.1:11434/v1"
VLLM = "http://127.0.0.1:8000/v1"
FIRST_PORT = 8101
"""Where the gateway listens, or at the next free port above."""
MOST_MODELS = 512
"""Of one provider: what a ModelProvider's catalogue holds."""
_LONGEST_NAME = 128
_EMBEDDING = re.compile(r"embed|(^|/)(bge|gte|e5|all-minilm|voyage)-", re.IGNORECASE)
_NO_CHAT = re.compile(
    r"audio|babbage|codex|dall-e|davinci|image|instruct|moderation|realtime|sora|transcribe|tts|whisper"
)
_WELL_KNOWN = ("gpt-4o-mini", "gpt-4.1-mini", "gpt-5-mini", "openai/gpt-4o-mini", "openai/gpt-5-mini")
"""Models that an example may ask: cheap, and known to answer."""
_LOOPBACK = re.compile(r"localhost|127(\.[0-9]{1,3}){3}|::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An API that may serve models."""

    name: str
    """Of the ModelProvider that is made of it."""
    base_url: str
    protocol: Protocol = Protocol.OPENAI
    variable: str | None = None
    """Where its key stands in the environment; None: it wants none."""
    located_by: str | None = None
    """The variable that says where it is; None: none does, it is at its usual place."""
    sought: bool = False
    """Nobody named it: it is looked for at its usual port of this machine, and nothing is wrong if it is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A source, and the models that it lists, by their names on the wire."""

    source: Source
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One model of a catalogue."""

    name: str
    id: str
    """Its name on the wire."""
    embedding: bool
    price: PublicPrice | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """What one source serves, under the names that clients use."""

    source: Source
    entries: tuple[Entry, ...]
    left_out: tuple[str, ...] = ()
    """Ids that no resource can carry, or that are too many."""
    without_vectors: tuple[str, ...] = ()
    """Ids of embedding models, where the API makes no vectors."""

    @property
    def models(self) -> int:
        """How many models there are: one that has two names is one."""
        return len({entry.id for entry in self.entries})


@dataclass(frozen=True, slots=True, kw_only=True)
class Starter:
    """Everything that is served, in the order of the sources."""

    catalogues: tuple[Catalogue, ...]
    prices: str | None
    """Which list the prices are of; None: there is none."""
    unserved: tuple[Catalogue, ...] = ()
    """Those of which nothing is left to serve."""

    def answered(self, names: AbstractSet[str]) -> "Starter":
        """Return what is left of it where only these names are answered."""
        kept = (
            replace(one, entries=tuple(entry for entry in one.entries if entry.name in names))
            for one in self.catalogues
        )
        return replace(self, catalogues=tuple(one for one in kept if one.entries))

    @property
    def unpriced(self) -> tuple[str, ...]:
        """Names whose price nobody publishes; what is looked for on this machine costs nothing, and has its price."""
        return tuple(
            entry.name
            for catalogue in self.catalogues
            if not catalogue.source.sought
            for entry in catalogue.entries
            if entry.price is None
        )

    @property
    def example(self) -> str:
        """A name that a first request may ask; one of Anthropic's API only where nobody speaks OpenAI's."""
        catalogues = sorted(self.catalogues, key=lambda one: one.source.protocol is Protocol.ANTHROPIC)
        chats = [entry for catalogue in catalogues for entry in catalogue.entries if not entry.embedding]
        names = [entry.name for entry in chats]
        known = [name for name in _WELL_KNOWN if name in names]
        talking = [name for name in names if not _NO_CHAT.search(name.lower())]
        every = [entry.name for catalogue in self.catalogues for entry in catalogue.entries]
        return (*known, *talking, *names, *every)[0]

    @property
    def speaks_openai(self) -> bool:
        """Whether `example` answers OpenAI's API."""
        return any(one.source.protocol is Protocol.OPENAI for one in self.catalogues)


def sources(environment: Mapping[str, str]) -> tuple[Source, ...]:
    """Return where to ask, in the order in which a name that several serve is answered. An empty variable is unset."""
    found = []
    key, base_url = environment.get("OPENAI_API_KEY"), environment.get("OPENAI_BASE_URL")
    if key or base_url:
        variable = "OPENAI_API_KEY" if key else None
        located_by = "OPENAI_BASE_URL" if base_url else None
        url = (base_url or OPENAI).rstrip("/")
        found.append(Source(name="openai", base_url=url, variable=variable, located_by=located_by))
    if environment.get("ANTHROPIC_API_KEY"):
        base_url = environment.get("ANTHROPIC_BASE_URL")
        found.append(
            Source(
                name="anthropic",
                base_url=(base_url or ANTHROPIC).rstrip("/"),
                variable="ANTHROPIC_API_KEY",
                located_by="ANTHROPIC_BASE_URL" if base_url else None,
                protocol=Protocol.ANTHROPIC,
            )
        )
    if environment.get("OPENROUTER_API_KEY"):
        found.append(Source(name="openrouter", base_url=OPENROUTER, variable="OPENROUTER_API_KEY"))
    for name, url in (("ollama", OLLAMA), ("vllm", VLLM)):
        if all(address(one.base_url) != address(url) for one in found):
            found.append(Source(name=name, base_url=url, sought=True))
    return tuple(found)


def address(base_url: str) -> tuple[str, int]:
    """Return host and port; every name of this machine is one host. Port 0 for what is no URL."""
    try:
        parts = urlsplit(base_url)
        host, port = parts.hostname or "", parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    except ValueError:
        return base_url, 0
    return ("127.0.0.1" if _LOOPBACK.fullmatch(host) else host), port


def starter(offers: Iterable[Offer], prices: PublicPrices | None) -> Starter:
    """Make the catalogues: a name that several list is the first one's, and each one's also as `provider/name`."""
    offers = tuple(offers)
    shared = _shared(offers)
    taken: set[str] = set()
    catalogues = []
    for offer in offers:
        own = offer.source.name
        vectorless = tuple(
            model for model in offer.models if offer.source.protocol is Protocol.ANTHROPIC and _embeds(model)
        )
        wanted = [
            (name, model)
            for model in offer.models
            if model not in vectorless
            for name in ((model, f"{own}/{model}") if model in shared or model in taken else (model,))
            if name not in taken
        ]
        fitting = [(name, model) for name, model in wanted if _is_a_name(name)]
        kept = dict(fitting[:MOST_MODELS])
        taken |= kept.keys()
        lost = {model for _, model in wanted} - set(kept.values())
        entries = tuple(_entry(offer.source, name, model, prices) for name, model in kept.items())
        catalogues.append(
            Catalogue(
                source=offer.source,
                entries=entries,
                left_out=tuple(model for model in offer.models if model in lost),
                without_vectors=vectorless,
            )
        )
    return Starter(
        catalogues=tuple(one for one in catalogues if one.entries),
        prices=None if prices is None else prices.edition,
        unserved=tuple(one for one in catalogues if not one.entries),
    )


def _shared(offers: tuple[Offer, ...]) -> frozenset[str]:
    counts = Counter(model for offer in offers for model in frozenset(offer.models))
    return frozenset(model for model, count in counts.items() if count > 1)


def _embeds(model: str) -> bool:
    return _EMBEDDING.search(model) is not None


def _is_a_name(name: str) -> bool:
    """Tell whether a resource can carry a name; one that a person cannot see is none either."""
    return name.isprintable() and "*" not in name and name == name.strip() and 0 < len(name) <= _LONGEST_NAME


def _entry(source: Source, name: str, model: str, prices: PublicPrices | None) -> Entry:
    price = None if prices is None or source.sought else prices.of(source.base_url, model, maker=maker(source.name))
    embedding = _embeds(model)
    if price is not None and price.output is None and not embedding:
        price = None  # the list has it by the minute or by the picture, which is not what it would be counted by
    return Entry(name=name, id=model, embedding=embedding, price=price)
