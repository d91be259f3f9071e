"""The installation: what belongs to no resource. One file, from Helm values or beside `fairlead up`."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit

from fairlead.api.form import Duration, Items, ListType, LongDuration, Name, Number, Share, Text
from fairlead.api.problem import Problem
from fairlead.api.resource import Part
from fairlead.api.rule import Rule, repeated
from fairlead.api.schema import of_part
from fairlead.api.validation import got, judge

ListenAddress = Annotated[
    str,
    Text(
        pattern=r"^(\[[0-9A-Fa-f:.]+\]|[0-9]{1,3}([.][0-9]{1,3}){3}):"
        r"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])$",
        want='an IP address and a port in quotes, such as `"127.0.0.1:8101"`',
        max_length=64,
    ),
]

StoreURL = Annotated[
    str,
    Text(
        pattern="^rediss?://[^ ]+$",
        want="the URL of a Redis-protocol store, such as `redis://valkey:6379/0`",
        max_length=512,
        quiet=True,
    ),
]


_DEFAULT_PORT = re.compile(r"^(https://.*:443|http://.*:80)$")

Origin = Annotated[
    str,
    Text(
        pattern=r"^([*]|[a-z][a-z0-9+.-]*://([a-z0-9_]([a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?)$",
        want="an origin as browsers state it: scheme, host and port without a path, such as `https://chat.example.com`,"
        " or `*`",
        max_length=253,
        rules=(
            Rule(
                holds=lambda value: not _DEFAULT_PORT.match(value),
                cel=None,
                message="want no port that the scheme has anyway: browsers leave it out, remove it",
            ),
        ),
    ),
]


_OTLP_PORTS = {"grpc": 4317, "http": 4318}

OtlpAddress = Annotated[
    str,
    Text(
        pattern=r"^(grpc|http)://([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
        r"(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?$",
        want="the address of an OTLP receiver without a path, such as `grpc://otel-collector.monitoring.svc:4317`"
        " or `http://127.0.0.1:4318`",
        max_length=253,
    ),
]


PrometheusURL = Annotated[
    str,
    Text(
        pattern=r"^https?://([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:[1-9][0-9]{0,4})?(/[A-Za-z0-9/._~-]*)?$",
        want="the URL of a Prometheus, or of what speaks its API, without a query or credentials, such as"
        " `http://prometheus.monitoring.svc:9090`",
        max_length=512,
        quiet=True,
    ),
]


class Region(Part):
    """A region that the whole installation knows, whether its gateway runs here or not."""

    name: Name
    """As endpoints and routes name it."""
    geo: Name
    """Regions of one geo are interchangeable for `residency: Geo`."""
    listen: ListenAddress | None = None
    """Where this region's gateway listens. `fairlead up` only, and needed there for each region that it serves."""

    @property
    def listen_address(self) -> tuple[str, int] | None:
        """Address without brackets, and port."""
        if self.listen is None:
            return None
        address, _, port = self.listen.rpartition(":")
        return address.strip("[]"), int(port)


class AnonymousPolicy(StrEnum):
    """What becomes of callers without a key."""

    ALLOW = "Allow"
    DENY = "Deny"


class Limits(Part):
    """What a request, and what all of them together, may be at most."""

    request_bytes: Annotated[int, Number(minimum=1024, maximum=2**30)] = 16_777_216
    """Bytes of a request's body, as it is without its encoding; a larger one is answered with 413. Gateways hold bodies
    in memory while they try, and a worker reads the worst of 16 MiB in 150 ms. The default has room for two pictures of
    5 MB in base64, or for four million tokens of text."""
    request_timeout: LongDuration = "120s"
    """How long the whole of a request may take to arrive, body included; then it is answered with 408. The default lets
    16 MiB through at a megabit a second. How long answers may take is each route's `timeouts`."""
    idle_timeout: LongDuration = "620s"
    """How long a connection may stand between two requests; one that has not begun its first ends after 10 seconds, or
    this time if it is shorter. Longer than a load balancer keeps its own, else it sends requests into connections that
    end: AWS and nginx 60 s, Google 600 s."""
    connection_duration: LongDuration = "10m"
    """After how long a connection is renewed: the answer to its next request says so, and its client opens another, at
    whatever pod has come meanwhile. No request and no stream is cut by it. Clients pool connections, so without an end
    pods that an autoscaler adds would get none of those that there are."""
    connections: Annotated[int, Number(minimum=16, maximum=1_000_000)] = 10_000
    """Connections of clients at one gateway process; a further one is closed at once. Thousand take about 10 MB, and
    64 while all wait for providers: with less memory than 1 GiB there are fewer, 2,048 with 256 MiB, 6,144 with 512."""
    memory_bytes: Annotated[int, Number(minimum=64 * 2**20, maximum=2**40)] | None = None
    """What one gateway process may take, in bytes. Before that is used up, requests are answered with 503 `overloaded`
    and `retry-after`. Absent: a pod's memory limit (without one nothing is refused); in `fairlead up` 2 GiB. A smaller
    limit of the pod holds in any case."""


class Cache(Part):
    """What gateways keep of answers, for routes with a `cache`."""

    bytes_per_worker: Annotated[int, Number(minimum=1_048_576, maximum=2**30)] = 16_777_216
    """Bytes of all answers that one worker of a gateway keeps, with the requests that they answer. The least recently
    used goes first. A worker is a thread: a gateway has one for each CPU that it may use."""
    shared_bytes: Annotated[int, Number(minimum=1_048_576, maximum=2**34)] = 33_554_432
    """Bytes of all answers together that routes with `store: Shared` keep for all gateways, with the requests that they
    answer. What ends soonest goes first."""
    store: StoreURL | None = None
    """A Redis-protocol store of their own for those. Absent: that of the budgets; without one the budget server's
    memory, of which there must be one then."""


class Cors(Part):
    """Whose pages in browsers may call. A page's script that has a key calls as whoever the key belongs to."""

    allow_origins: Annotated[
        tuple[Origin, ...],
        Items(max_items=64, min_items=1, list_type=ListType.SET, absent="leave `cors` out for nobody"),
    ]
    """Origins as browsers state them, such as `https://chat.example.com`: compared as a whole. `*`, alone: any page."""

    constraints: ClassVar = (
        Rule(
            holds=lambda value: "*" not in value["allowOrigins"] or value["allowOrigins"] == ["*"],
            cel=None,
            message="got `*` beside others, which it includes, want it alone, remove the others or it",
            reads=("allowOrigins",),
            field="allowOrigins",
        ),
    )


class Telemetry(Part):
    """Spans and histograms with OpenTelemetry's `gen_ai` names, sent by OTLP. No prompt and no key is in them."""

    otlp: OtlpAddress
    """Who takes them: `grpc://host:4317` or `http://host:4318`, the ports being the defaults. In the clear: a collector
    in one's own network, which may pass them on with TLS. While it is away, they are lost, and requests pass."""
    sample: Share = "5%"
    """Share of the requests that get spans. One whose `traceparent` says that it is sampled is always followed."""

    @property
    def receiver(self) -> tuple[str, str, int]:
        """Scheme, host without brackets, and port."""
        url = urlsplit(self.otlp)
        return url.scheme, url.hostname or "", url.port or _OTLP_PORTS[url.scheme]


class Prometheus(Part):
    """Who answers the queries of rollouts. Here and in no route, so that nobody makes Fairlead ask other addresses."""

    url: PrometheusURL
    """Where its API is, without `/api/v1`. It is asked without credentials: one in one's own network."""
    timeout: Duration = "5s"
    """How long one query may take; then the verdict is `Error`."""


class FailurePolicy(StrEnum):
    """What happens to requests while the budget server does not answer."""

    OPEN = "Open"
    CLOSED = "Closed"


class Budgets(Part):
    """How spending is counted."""

    store: StoreURL | None = None
    """The Redis-protocol store of the counters. Absent: a SQLite file, in `fairlead up`."""
    failure_policy: FailurePolicy = FailurePolicy.OPEN
    """`Open`: requests pass and are counted as unchecked. `Closed`: they are refused, as soon as anybody has a
    BudgetPolicy or a `maxInFlight`; where nobody has one, nothing is checked and nobody refused."""
    timeout: Duration = "250ms"
    """How long a budget check may take."""


class Recorder(Part):
    """Where pairs of answers go that routes record (`shadow.record`)."""

    keep: LongDuration = "168h"
    """How long a pair is kept at most."""
    megabytes: Annotated[int, Number(minimum=1, maximum=1_000_000)] = 100
    """How much is kept at most, in millions of bytes; the oldest pairs go first."""


class LogLevel(StrEnum):
    """From which weight on Fairlead's own events are written."""

    DEBUG = "Debug"
    INFO = "Info"
    WARNING = "Warning"
    ERROR = "Error"


class AccessLog(StrEnum):
    """Which requests gateways log."""

    ALL = "All"
    NONE = "None"


class Log(Part):
    """What is written down. No prompt, key or credential ever is."""

    level: LogLevel = LogLevel.INFO
    """From which weight on Fairlead's own events are written."""
    access: AccessLog = AccessLog.ALL
    """`All`: one line per request and one per attempt, as JSON. `None`: no lines; metrics stay."""


def _unknown_regions(installation: Any) -> tuple[str, ...]:
    names = {region["name"] for region in installation["regions"]}
    return tuple(f"serve[{i}]" for i, name in enumerate(installation.get("serve", ())) if name not in names)


def _repeated_listens(installation: Any) -> tuple[str, ...]:
    # A region without an address is like no other: its index stands for it.
    listens = (region.get("listen", index) for index, region in enumerate(installation["regions"]))
    return tuple(f"regions[{index}].listen" for index in repeated(listens))


class Installation(Part):
    """What belongs to an installation and to no resource."""

    namespace: Name = "fairlead"
    """Where providers live and shared routes stand; objects without a namespace belong here."""
    regions: Annotated[tuple[Region, ...], Items(max_items=64, min_items=1, list_type=ListType.MAP, keys=("name",))]
    """All regions of the fleet; their order is the order of preference beyond a gateway's own geo."""
    serve: Annotated[
        tuple[Name, ...] | None,
        Items(max_items=64, min_items=1, list_type=ListType.SET, absent="leave it out for all regions"),
    ] = None
    """The regions whose gateways run here. Absent: all."""
    anonymous: AnonymousPolicy | None = None
    """`Allow`: callers without a key are the consumer `anonymous` of `namespace`. `Deny`: they get 401. Absent: `Allow`
    in `fairlead up`, `Deny` under Helm. A wrong key is refused in any case."""
    cors: Cors | None = None
    """Whose pages in browsers may call. Absent: nobody's."""
    telemetry: Telemetry | None = None
    """Where spans and metrics go by OTLP. Absent: nowhere."""
    prometheus: Prometheus | None = None
    """Who answers the queries of rollouts (`analysis.prometheus` of a ModelRoute). Absent: such a query is `Error`."""
    limits: Limits = Limits()
    """What a request may be at most."""
    cache: Cache = Cache()
    """What gateways keep of answers, for routes with a `cache`."""
    budgets: Budgets = Budgets()
    """How spending is counted."""
    recorder: Recorder | None = None
    """`fairlead up` only, which then runs a recorder; in a cluster the chart does (`recorder.enabled`). Absent: no
    recorder."""
    log: Log = Log()
    """What is written down."""

    constraints: ClassVar = (
        Rule(
            places=_unknown_regions,
            cel=None,
            message="got a region that `regions` does not have, want names of `regions`, add the region or remove it",
            reads=("serve", "regions"),
        ),
        Rule(
            places=_repeated_listens,
            cel=None,
            message="got one `listen` address twice, want each region at its own, change one",
            reads=("regions",),
        ),
    )

    @property
    def served(self) -> tuple[Region, ...]:
        """The regions whose gateways run here, in the order of `regions`."""
        return tuple(region for region in self.regions if self.serve is None or region.name in self.serve)


def decode_installation(document: object) -> Installation | tuple[Problem, ...]:
    """Return the installation that a mapping describes, or everything that is wrong with it."""
    if not isinstance(document, Mapping):
        return (Problem("", f"{got(document)}, want a mapping with `regions`, rewrite it"),)
    _, problems = judge(of_part(Installation), document, "")
    return problems or Installation.model_validate(document)
