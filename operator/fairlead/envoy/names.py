"""Every name that two parts of a gateway's configuration must spell alike: headers, metadata, filters, clusters.

The Lua sources carry the same names as written; `tests/unit/envoy/test_names.py` checks that they agree.
"""

from fairlead.ir import word

HEADER_PREFIX = "x-fl-"
"""Headers of this prefix are ours alone: stripped from what clients send, and never sent to a provider."""

ROUTE_HEADER = "x-fl-route"
"""`vhost_header` of the route configuration: the name of the route that answers, which is a virtual host's domain.

Envoy finds *no* virtual host for a request without this header, not even `*` (seen on 1.40: 404, no metadata), and it
picks the first route before the first HTTP filter runs. So an early header mutation sets it to `NO_ROUTE`.
"""
NO_ROUTE = "-"
"""`ROUTE_HEADER` before the request filter has decided: no route is called so, which leads to virtual host `*`."""
NOWHERE_HEADER = "x-fl-nowhere"
"""Names the cluster of requests for which no route was chosen: nobody writes it, what clients send of it is removed
with all such headers, and there is no such cluster."""

CONSUMER_HEADER = "x-fl-consumer"
"""Set by api_key_auth: `namespace/name` of the ModelConsumer."""
ANONYMOUS_HEADER = "x-fl-anonymous"
"""Added to every request of an installation that lets callers without a key in; api_key_auth's last key source."""
ENCODING_HEADER = "x-fl-encoding"
"""The `content-encoding` that a client stated: Envoy takes the header off with the encoding, also where it failed."""
BUCKET_HEADER = "x-fl-bucket"
"""Where a plan keeps consumers on its sides: which of the `BUCKETS` the consumer falls into, the same on each route."""
BUCKETS = 10_000
ARMS_HEADER = "x-fl-arms"
"""Wildcard routes, plans with more than one arm: the arms' weights, `5000-5000`. See `directory.shape`."""
LADDER_HEADER_PREFIX = "x-fl-l"
"""Wildcard routes: `x-fl-l0`, `x-fl-l1`, ...: the cluster of each arm's ladder, in the order of the plan's arms."""

DIRECTORY_NAMESPACE = "envoy.filters.http.lua"
"""Where the Lua filter reads a route's metadata: in virtual host `*` the directory stands there."""
VERSION_KEY = "version"
"""String, in the same namespace of that virtual host's own metadata: it differs when the directory does."""

METADATA_NAMESPACE = "fairlead"
"""Dynamic metadata that `lua/request/` writes, under the keys below, and host metadata of targets."""
CONSUMER_KEY = "consumer"
"""String: `namespace/name`."""
MODEL_KEY = "model"
"""String: the model name that the client sent, as a word."""
STREAM_KEY = "stream"
"""Bool: the answer is a stream. Routes match it, because the timers differ."""
WAY_KEY = "way"
"""String: what each attempt needs of the request, `<wire id in the body> <last resort's wire id> <last resort's target>
<bytes of the body> <path as sent>`. One value, because each costs a merge. Attempts share one header map, so each
starts from this."""
ASK_KEY = "ask"
"""String, with budgets only: what bounds the cost of the request, `<output limit> <n>`, each `-` where not given."""
UNASKED_KEY = "unasked"
"""Bool: the provider of a stream was asked for usage and the client had not."""
BROKEN_KEY = "broken"
"""String, of a stream that brought no answer: see `fairlead.envoy.token_filter`."""
FINISH_KEY = "finish"
"""String, of an answer that says why it ended: see `fairlead.envoy.token_filter`."""
ORIGIN_KEY = "origin"
"""String: the origin of the page that calls, where pages may."""
USAGE_KEY = "usage"
"""Struct: what the token filter read, see `fairlead.envoy.token_filter`."""
ERROR_KEY = "error"
"""String: the code of the error that the request filter answered with."""

TRANSLATED_KEY = "translated"
"""String: `messages` or `chat`, the client's API, where the attempt that answers was asked in other words, and answered
in those of the other API; `converse`, where clients of Messages are answered in their own."""
LEFT_OUT_KEY = "left_out"
"""String: the hints that those words have no place for, with `, ` between them."""
UNSAID_KEY = "unsaid"
"""Bool, on a route with rungs that want other words: the request cannot be said in them. Where it can in the words of
some, the key has `:<need>` behind it, of those that are asked."""
WORDS_NAMESPACE = "fairlead.messages"
SAID_KEY = "said"
"""Dynamic metadata apart from the rest, since it is as long as a body: the request in the words of the other API."""
CONVERSED_KEY = "conversed"
"""The same in the words of Bedrock's Converse."""
CONVERSE_LEFT_OUT_KEY = "converse_left_out"
"""As `LEFT_OUT_KEY`, of those words."""
CONVERSE_KEY = "converse"
"""String: `<id of its answer> <model, as a word>` of an attempt that was asked in those words; else empty."""
WANTS_CHAT, WANTS_MESSAGES, WANTS_CONVERSE = "!messages", "!chat", "!converse"
"""Among the headers that a host wants besides: it wants messages in the words of chat/completions, chat/completions in
those of messages, and both in those of Converse."""
WANTS_SIGNATURE = "!sign="
"""There, too, with the name of a signer behind it."""
SIGN_HEADER = "x-fl-sign"
"""From the upstream filter to the signers behind it: which of them signs the attempt."""
MESSAGES_FILTER, CHAT_FILTER = "fairlead-messages", "fairlead-chat"
"""The filters that say answers to clients of these APIs."""

PINNED_KEY = "pinned"
"""Bool: the request goes on from an answer that one endpoint keeps, and goes there alone."""
SIGNS_KEY, PREVIOUS_KEY = "signs", "previous"
"""Strings, of requests for responses whose ids are signed: the directory's `i`; the id that the client sent."""
SIGNED_FILTER = "fairlead-responses"
"""The filter that signs ids of answers."""

API_KEY_FILTER = "fairlead-api-keys"
"""Name of the api_key_auth filter; routes disable it by this name, and its configuration arrives by ECDS."""

ROUTE_CONFIGURATION = "fairlead"
"""Name of the one route configuration."""
ADMIN_CLUSTER = "admin"
"""The cluster of Envoy's own admin interface, which the metrics listener asks."""

TARGET_KEY = "target"
"""Host metadata of a target, string: `provider/endpoint/model`. Its model is there too, under `MODEL_KEY`."""
PROVIDER_KEY = "provider"
"""Host metadata, string."""
REGION_KEY = "region"
"""Host metadata, string: `-` for an anycast endpoint."""
WIRE_KEY = "wire"
"""Host metadata of a target, string: the model's id on the wire."""
ANSWERED_BY_HEADER = "x-fairlead-route"
"""Response header of every answer of a route, and of none that the gateway gives by itself."""
TRUSTED_CA = "ca"
"""Static secret of the bootstrap: the certificates that providers are checked against."""
ENDPOINT_KEY = "endpoint"
"""Host metadata of a last resort, string: `provider/endpoint`."""
LAST_TARGET_KEY = "last_target"
LAST_MODEL_KEY = "last_model"
LAST_WIRE_KEY = "last_wire"
"""Dynamic metadata, strings: what stands for `TARGET_KEY`, `MODEL_KEY` and `WIRE_KEY` once the last resort is asked.
Its host does not know them, because all models of an endpoint share it."""
HOST_KEY = "host"
"""Host metadata, string: what the upstream filters need, as one line `<credential> <wire id> <base path> <hop>
<headers that it wants besides>`."""
ANY_MODEL = "*"
"""The wire id of a last resort's host line: the request brings its own."""
HOST_HEADER = "x-fl-host"
"""What the upstream filters read, made anew for each attempt: the host's `HOST_KEY`, the members that its log line
gets (`logs.ATTEMPT_MEMBERS`), the request's `WAY_KEY`."""
HOP_HEADER = "x-fl-hop"
"""The cluster behind a hop."""
ATTEMPT_HEADER = ":fl-attempt"
LAST_TARGET_HEADER = ":fl-target"
LAST_WIRE_HEADER = ":fl-model"
"""What the upstream filter leaves to the attempt's log. HTTP/1 sends no header whose name starts with a colon (the last
thing that Envoy's codec does), and to providers it speaks nothing else; behind a hop HTTP/2 would refuse it. See
docs/adr/log-lines-as-text.md."""
PROBE_HEADER = ":fl-probe"
"""On a probe with a credential, for the attempt's log, which leaves it out."""
TRIED_KEY = "tried"
FAILED_KEY = "failed"
LOST_KEY = "lost"
"""Strings that the upstream filter keeps for the report: of the attempt that runs `<start in ms>,<bytes that went out
before it>,<target>`; its provider's status, if that is no 2xx or the 2xx is no answer; of each attempt before it that
sent something `<status>,<ms>,<target>`, with `;` between them."""
ASKED_ROUTE_KEY = "asked"
"""String: the route that was asked, where a rule or a downgrade chose another; two, with a comma, where both did."""
RULE_KEY, RULED_KEY = "rule", "ruled"
"""Strings, of requests for a route with rules: the name of the one that applied, or `none`; and that route."""
RULE_HEADER = "x-fairlead-rule"
"""On answers of routes with rules, and of those that they lead to: `RULE_KEY`."""
CATEGORY_KEY, CLASSIFIED_KEY = "category", "classified"
"""Strings, where a rule needed a category: the category, or `none`; and how it was found, or why there is none."""
CATEGORY_HEADER = "x-fairlead-category"
"""On answers to such requests: `CATEGORY_KEY`."""
HOP_ATTEMPT_HEADER = "x-fl-attempt"
"""The same as `ATTEMPT_HEADER` for an attempt that goes through a hop, which takes it away."""
CASCADE_LISTENER = "cascade"
"""The internal listener behind the rungs of cascades."""
RUNG_HEADER, RETRIES_HEADER, JUDGE_HEADER, CASCADE_ASK_HEADER = "x-fl-rung", "x-fl-retries", "x-fl-judge", "x-fl-ask"
"""What goes along over a cascade's hop: the cluster of a model's own ladder, how often it retries, whether its answer
is judged (`1`, or `-`), and `ASK_KEY`; `ASKED_ROUTE_KEY` goes as with a question to a classifier."""
BY_HEADER = "x-fl-by"
"""Behind that hop, on the way back: what the judge must know of whom the answer comes from."""
JUDGED_HEADER = "x-fl-judged"
"""What comes back over it: see `lua/cascade/filter.lua`. The upstream filter leaves `REJECTED` of it, or nothing."""
REJECTED = "rejected"
JUDGE_FILTER = "fairlead-judge"
VERDICT_KEY, REJECTED_KEY = "verdict", "rejected"
"""Strings, behind that hop: what was said of the answer, and `1` where the next model is asked."""
RUNG_KEY = "rung"
"""String, on a cascade: the first target of the model that is asked, empty once its answer is there."""
CASCADE_KEY = "cascade"
"""String: `provider/model=verdict` of each model that was asked, with `, ` between them."""
CASCADE_HEADER = "x-fairlead-cascade"
"""On answers of routes with a cascade: `CASCADE_KEY`, or `bypass` where none applies."""
MAKESHIFT_KEY = "makeshift"
"""String, `1`: the answer is one that was rejected before, since no better model answers; no cache keeps it."""
ATTEMPTS_KEY = "attempts"
"""String, on a cascade: the attempts of all models."""
LAST_REGION_KEY = "last_region"
LAST_PROVIDER_KEY = "last_provider"
"""As `LAST_TARGET_KEY`, on a cascade, where the host is a hop."""
SHADOW_HEADER_PREFIX = "x-fl-shadow-"
SHADOW_HOP_HEADER = "x-fl-shadow-hop"
SHADOW_CONSUMER_HEADER = "x-fl-shadow-consumer"
SHADOW_ROUTE_HEADER = "x-fl-shadow-route"
SHADOW_TARGET_HEADER = "x-fl-shadow-target"
SHADOW_ASK_HEADER = "x-fl-shadow-ask"
SHADOW_BEGIN_HEADER = "x-fl-shadow-begin"
SHADOW_END_HEADER = "x-fl-shadow-end"
WAY_HEADER = "x-fl-way"
MODEL_HEADER = "x-fl-model"
STREAM_HEADER = "x-fl-stream"
"""A shadow's copy has no metadata: these carry it over the hop. None of them is among what an attempt removes."""
ASK_HEADER, ASKED_HEADER = "x-fl-ask", "x-fl-asked"
CHECK_HEADER, RESERVATION_HEADER = "x-fl-check", "x-fl-reservation"
"""With `CONSUMER_HEADER`, `WAY_HEADER` and `MODEL_HEADER`, what the request filter says of a question to a classifier's
route, which goes into that listener by `CLASSIFIER_CLUSTER`."""
SHADOW_RECORD_HEADER = "x-fl-shadow-record"
"""The same, on routes that record: the value of `RECORD_KEY`, or `-`."""
RECORD_KEY = "record"
"""String, of a request that is recorded: `<the recorder's cluster> <kinds to take out> <id> <route>`."""
RECORD_FILTER = "fairlead-record"
CACHE_FILTER = "fairlead-cache"
CACHE_NAMESPACE = "fairlead.cache"
"""Dynamic metadata apart from the rest, since it is as long as a body: the `key` of a request whose answer may be kept;
of a hit `saved`, what the token filter reported of the answer when it was made."""
SAVED_KEY = "saved"
CACHE_KEY = "cache"
"""String, on routes that keep answers: `hit`, `miss` or `bypass`."""
LOOKED_KEY = "looked"
"""String, on routes that share their answers, where one was looked for: where it was found, or why not."""
HIT_KEY = "hit"
"""String, of a request whose answer was kept: the target that made it."""
CACHE_HEADER = "x-fairlead-cache"
"""On answers of routes that keep some: `CACHE_KEY`."""
MADE_KEY = "made"
"""Host metadata, string, where some route keeps answers of it: see `makers`."""
MADE_HEADER = "x-fl-made"
"""On the way back to the cache: the `MADE_KEY` of the host that answered, over hops, too."""
COPIED_KEY = "copied"
"""Bool, on routes that record: the request was drawn to be copied. Routes match it."""
SHADOW_HOST = "shadow"
"""The host line of the cluster that leads into the shadows' hop. Upstream filters must leave the copy alone before the
hop: an answer of their own crashes Envoy there (1.40: a mirrored stream has nobody to answer to)."""
ROUTE_KEY = "route"
SHADOW_TARGET_KEY = "shadow_target"
"""Dynamic metadata behind a shadow's hop: the name of the route that asked for the copy, and of its target."""
DOWNGRADE_HEADER = "x-fl-downgrade"
"""Set by the budget server's answer: another route is to answer."""
DOWNGRADE_KEY = "downgrade"
"""Route metadata, string: `<route> <last resort's wire id> <last resort's target>` of the route that answers then."""
RESERVATION_KEY = "reservation"
"""Metadata of `RATE_LIMIT_FILTER`: that the check was answered, and under which name something is reserved."""
CHECK_NAMESPACE, CHECK_KEY = "fairlead.check", "words"
"""Dynamic metadata apart from the rest, since each value that is added there costs a merge: what the check says. It is
there for requests that have to fit a budget or a limit in flight; no other is checked, unless all are."""
REMAINING_KEY, LEASE_KEY = "remaining", "lease"
"""There, too: of a request that took a unit of a lease, what remained when that was granted; of one that was checked,
the lease that came with the answer."""
LEASE_NAMESPACE = "fairlead.lease"
BATCHED_KEY = "batched"
"""Dynamic metadata apart from the rest: that the report of a request is in a batch; else it is a call."""
BACK_KEY, UNLEARNED_KEY = "back", "unlearned"
"""There, too, what a report gives back of leases that have ended; and what stands for it until the request filter has
learned the lease that came with this request's check: that one was asked for, then the whole of it. `key` is what that
is learned by, `lost` that an attempt was."""
CLOSED_KEY = "closed"
"""Metadata of `RATE_LIMIT_FILTER`: the budget server's verdict that nothing fits, for the request filter to remember.
Of `METADATA_NAMESPACE`: the refusal of a request that is asked about although a verdict is known."""
REFUSED_KEY, TOO_MANY_IN_FLIGHT = "refused", "too_many_in_flight"
"""Metadata of `RATE_LIMIT_FILTER`: why the budget server refuses a request, where that is no matter of dollars."""
BUDGET_CLUSTER = "!budget"
USAGE_CLUSTER = "!usage"
ANSWERS_CLUSTER = "!answers"
BATCHES_CLUSTER = "!reports"
"""The budget server's clusters."""
RATE_LIMIT_FILTER = "envoy.filters.http.ratelimit"
"""Name of the filter, and of the metadata where it keeps what the server's answer carries."""
BULKHEAD_LISTENER = "bulkhead"
SHADOW_LISTENER = "shadow"
CLASSIFIER_LISTENER, CLASSIFIER_CLUSTER = "questions", "!classifier"
SERVICE_LISTENER, SERVICE_CLUSTER = "classifier-service", "!classifier-service"
SHADOW_CLUSTER = "!shadow"
"""The questions' listener shares the routes of the data listener, whose counters Envoy names after the first of the two
that it makes: it stands behind `data` in the order of names.

The internal listeners, and the clusters that lead into the classifiers' and the shadows' one."""


def cluster(name: str) -> str:
    """Spell the Envoy name of a target, ladder or last resort.

    A dot would end a part of the stat's name; `~` is in no name of the IR (in words it is `%7E`), so two names
    never meet.
    """
    return name.replace(".", "~")


def ladder_header(arm: int) -> str:
    """Name the header that names the cluster of a keyed plan's arm, counted from 0."""
    return f"{LADDER_HEADER_PREFIX}{arm}"


def ladder_cluster(name: str) -> str:
    """Name a ladder's cluster: no target's name starts so, though both are words with slashes."""
    return f"@{cluster(name)}"


def dialect_cluster(name: str, need: str, *, counted: bool = True) -> str:
    """Name the cluster of a ladder's rungs that answer what needs the same.

    Its last part is the arm's, by which rollouts count it. `counted=False`: it lacks the arm's own first rung, so what
    it does says nothing about that.
    """
    return f"{ladder_cluster(name)}{'' if counted else '/'}@{need}"


def model_cluster(base: str, number: int) -> str:
    """Name the ladder of a cascade's model, from 0. Its last part is the arm's, as in the plain ladder's name `base`.

    The one behind the last model's is the first model once more, with the last resort.
    """
    return f"{base}@{number}"


def hop_cluster(base: str, number: int) -> str:
    """Name the hop that leads to a model of a cascade."""
    return f"{base}@{number}!hop"


def cascade_cluster(base: str) -> str:
    """Name the ladder whose rungs are a cascade's models, of the plain ladder `base`."""
    return f"{base}@cascade"


def trunk(host: str, port: int) -> str:
    """Name the listener and the cluster that all targets of a crowded address share."""
    return f"{cluster(host)}:{port}!trunk"


def limited_cluster(target: str) -> str:
    """Name the cluster behind a target's bulkhead."""
    return f"{cluster(target)}!limited"


def target_of(cluster_name: str) -> str:
    """Return the name of the target whose cluster it is, bounded or not; empty for a cluster of anything else."""
    found = cluster_name.removesuffix("!limited")
    return "" if "!" in found or found.startswith("@") or "/" not in found else word.decode(found.replace("~", "."))


def shadow_cluster(target: str) -> str:
    """Name the cluster that takes a target's share of shadows."""
    return f"{cluster(target)}!shadow"


def recorder_cluster(service: str) -> str:
    """Name the cluster of a recorder: the installation's, or one at `host:port` that a route has of its own."""
    return f"!recorder/{service}" if service else "!recorder"


def classifier_cluster(service: str) -> str:
    """Name the cluster of a classifier that is a service at `host:port`."""
    return f"{CLASSIFIER_CLUSTER}/{service}"


def last_resort_cluster(name: str) -> str:
    """Name a last resort's cluster; `!` is in no name of the IR."""
    return f"{cluster(name)}!"
