"""An operator on an API in memory, fifty times as fast, and a person who waits for what it does."""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import structlog

from builders import EU_WEST, US, installation
from fairlead import envoy
from fairlead.adapters.gateway_answer import Held
from fairlead.adapters.probe import Finding
from fairlead.budget.admission import Standing
from fairlead.budget.configuration import decode as decode_configuration
from fairlead.budget.configuration import digest as configuration_digest
from fairlead.budget.ledger import Counter
from fairlead.budget.shadow import ShadowAccount
from fairlead.budget.spend import SpendSnapshot
from fairlead.budget.spend import accounts as budget_accounts
from fairlead.budget.window import span
from fairlead.controller.context import Context
from fairlead.controller.metrics import Metrics
from fairlead.controller.operator import Operator
from fairlead.errors import BudgetConfigurationError, BudgetServerError, EnvoyError
from fairlead.manifests import COMPONENT_LABEL, REGION_LABEL
from fairlead.manifests.settings import BudgetSettings
from fairlead.statuses import Failure
from fast_clock import FASTER, FastClock, leave_out_waits
from gateway_values import LABELS, settings
from memory_cluster import MemoryCluster

NAME = f"fairlead-gateway-{US}"
BUDGET_SERVER = BudgetSettings(rpc="budget:8081", usage="budget:8082", configuration="fairlead-book", shared=False)
WITHIN_S = 90.0  # some waits of the operator are of real seconds, and the machine may be busy


class Answers:
    """Pods that serve what the ConfigMaps hold, as soon as they are nudged."""

    def __init__(self, cluster: MemoryCluster) -> None:
        self._cluster = cluster
        self.stuck = self.keys_stuck = False
        self.absent: set[str] = set()
        """Files with credentials that are not there."""
        self.refusing: set[str] = set()
        """Endpoints that a gateway asks for a probe, and that refuse its credential."""
        self.behind: set[str] = set()
        """Addresses of pods that serve something from before the operator's time."""
        self._last: dict[str, str] = {}
        self._keys = ""

    async def digest(self, address: str, port: int) -> str | None:  # noqa: ARG002  the port is always the same
        pods = [pod for pod in self._cluster.all("Pod") if pod["status"]["podIP"] == address]
        region = pods[0]["metadata"]["labels"].get(REGION_LABEL, US) if pods else US
        routes = self._cluster.find("ConfigMap", f"fairlead-gateway-{region}-routes")
        if routes is None:
            return None
        if address in self.behind:
            return "0" * 64
        if not self.stuck:
            with suppress(ValueError, KeyError):  # somebody damaged it: Envoy keeps what it has
                self._last[address] = envoy.digest({"xds/rds.json": routes["data"]["rds.json"].encode()})
        return self._last.get(address)

    async def held(self, address: str, port: int, *, mark: str, files: Collection[str]) -> Held | None:  # noqa: ARG002
        found = (self._cluster.find("Secret", "fairlead-keys") or {}).get("data", {}).get("ecds.json", "")
        if not self.keys_stuck:
            with suppress(ValueError):
                self._keys = base64.b64decode(found).decode()
        if mark not in self._keys:
            return Held(keys=False)
        return Held(keys=True, absent=frozenset(files) & self.absent)

    async def probe(self, address: str, port: int, *, mark: str, endpoint: str, timeout_s: float) -> Finding | None:
        assert (address, port, bool(mark), timeout_s > 0) == ("10.0.0.1", 8080, True, True)
        return Finding(status=401, failure=Failure.CREDENTIAL_REJECTED) if endpoint in self.refusing else None


class Servers:
    """A budget server that takes every configuration at once; what was spent is the test's to say."""

    def __init__(self, cluster: MemoryCluster) -> None:
        self._cluster = cluster
        self.spent: dict[str, int] = {}
        self.shadows: tuple[ShadowAccount, ...] = ()
        self.is_there, self.store_up, self.is_stuck = True, True, False

    async def spend(self, address: str, port: int) -> SpendSnapshot:  # noqa: ARG002  there is one
        found = self._cluster.find("ConfigMap", "fairlead-book")
        if found is None or not self.is_there:
            raise BudgetServerError("nobody there")
        text = found.get("data", {}).get("book.json", "").encode()
        try:
            configuration = decode_configuration(text)
        except BudgetConfigurationError as error:
            raise BudgetServerError(str(error)) from error
        standings = [
            (
                who,
                Standing(
                    policy=policy,
                    span=span(policy.window, 0),
                    counter=Counter(spent=self.spent.get(who, 0), reserved=0, estimated=0),
                ),
            )
            for who, names in configuration.consumers.items()
            for policy in configuration.policies
            if policy.name in names
        ]
        accounts = budget_accounts(configuration.policies, standings, 0) if self.store_up else ()
        configuration_read = "before" if self.is_stuck else configuration_digest(text)
        return SpendSnapshot(
            configuration=configuration_read, store_up=self.store_up, accounts=accounts, shadows=self.shadows
        )


class Counters:
    """What every gateway counts, in Prometheus' words."""

    def __init__(self) -> None:
        self.attempts: dict[tuple[str, str, str, str], int] = {}
        self.refused = 0
        """Requests that each had no room for."""
        self.others: dict[str, int] = {}
        """Further series, by name with labels."""
        self.problem = ""
        """Why no gateway shows its counters; empty while all do."""

    def count(self, target: str, code: int, flags: str = "-", *, arm: str = "a", times: int = 1) -> None:
        key = arm, target, str(code), flags
        self.attempts[key] = self.attempts.get(key, 0) + times

    def refuse(self) -> int:
        """Let each refuse one more request; how many that are."""
        self.refused += 1
        return self.refused

    async def read(self, address: str, *, only: str) -> str:
        assert address in ("10.0.0.1:9090", "10.0.0.2:9090")
        assert only
        if self.problem:
            raise EnvoyError(self.problem)
        refused = (
            f'envoy_http_downstream_rq_overload_close{{envoy_http_conn_manager_prefix="fairlead"}} {self.refused}\n'
        )
        others = "".join(f"{series} {count}\n" for series, count in self.others.items())
        return (
            refused
            + others
            + "".join(
                f'envoy_fairlead_attempt_total{{arm="{arm}",target="{target}",code="{code}",flags="{flags}"}} {count}\n'
                for (arm, target, code, flags), count in self.attempts.items()
            )
        )


class Probes:
    """Endpoints as probes find them: alive, unless the test says otherwise; what is asked is kept."""

    def __init__(self) -> None:
        self.findings: dict[str, Finding] = {}
        """By the host that is asked."""
        self.asked: list[str] = []

    async def ask(self, url: str, *, timeout_s: float) -> Finding:
        assert timeout_s > 0
        self.asked.append(url)
        return self.findings.get(urlsplit(url).hostname or "", Finding(status=401, failure=None))


class Stage:
    """An operator in a cluster with one region, and a person who waits for conditions."""

    def __init__(
        self,
        *objects: Mapping[str, Any],
        identity: str = "me",
        cluster: MemoryCluster | None = None,
        faster: float = FASTER,
        budgets: bool = False,
        has_others: bool = False,
        serves_both: bool = False,
        **values: Any,
    ) -> None:
        """`values` are Helm values of its region; `has_others`: there is a second one, in Europe, which another cluster
        serves, or `serves_both`: this one.
        """
        owner = {"kind": "ConfigMap", "metadata": {"name": "fairlead-installation", "namespace": "fairlead"}}
        keys = {"kind": "Secret", "metadata": {"name": "fairlead-keys", "namespace": "fairlead"}}
        others, served = has_others or serves_both, [US, EU_WEST] if serves_both else [US]
        self.cluster = cluster or MemoryCluster(owner, keys, *objects)
        self.clock = FastClock(faster)
        self.answers = Answers(self.cluster)
        self.servers = Servers(self.cluster)
        self.counters = Counters()
        self.probes = Probes()
        self.metrics = Metrics()
        found = self.cluster.find("ConfigMap", "fairlead-installation")
        assert found is not None
        self.operator = Operator(
            kube=self.cluster,
            clock=self.clock,
            answers=self.answers,
            budget_answers=self.servers,
            gateway_metrics=self.counters,
            probes=self.probes,
            context=Context(
                installation=installation(
                    regions=[{"name": US, "geo": "us"}, *([{"name": EU_WEST, "geo": "eu"}] if others else [])],
                    serve=served,
                ),
                settings=replace(
                    settings(*served, **values),
                    budget_server=BUDGET_SERVER if budgets else None,
                    serves_when_all_drained=not has_others,
                ),
                watch_namespaces=(),
                lease="fairlead-operator",
                identity=identity,
                owner_uid=found["metadata"]["uid"],
            ),
            metrics=self.metrics,
            log=structlog.get_logger(),
        )

    def pod(self, name: str, *secrets: str, ready: bool = True, region: str = US, address: str = "10.0.0.1") -> None:
        """Let a gateway pod be there, with these Secrets mounted."""
        volumes = [{"name": secret, "secret": {"secretName": secret}} for secret in secrets]
        self.cluster.put(
            {
                "kind": "Pod",
                "metadata": {"name": name, "namespace": "fairlead", "labels": {**LABELS, REGION_LABEL: region}},
                "spec": {"volumes": volumes},
                "status": {"podIP": address, "conditions": [{"type": "Ready", "status": str(ready)}]},
            }
        )

    def budget_server(self) -> None:
        """Let a budget server's pod be there."""
        labels = {**LABELS, COMPONENT_LABEL: "budget-server"}
        self.cluster.put(
            {
                "kind": "Pod",
                "metadata": {"name": "budget", "namespace": "fairlead", "labels": labels},
                "status": {"podIP": "10.0.0.9", "conditions": [{"type": "Ready", "status": "True"}]},
            }
        )

    def condition(self, kind: str, name: str, type_: str, namespace: str = "team-web") -> dict[str, Any]:
        found = self.cluster.find(kind, name, namespace) or {}
        if found.get("status", {}).get("observedGeneration") != found.get("metadata", {}).get("generation"):
            return {}
        return next((one for one in found["status"]["conditions"] if one["type"] == type_), {})

    def is_ready(self, kind: str, name: str, namespace: str = "team-web") -> Callable[[], bool]:
        return lambda: self.condition(kind, name, "Ready", namespace).get("status") == "True"

    def writes(self, *but: str) -> list[tuple[str, str, str]]:
        """Return what was written, leases left out."""
        return [write for write in self.cluster.writes if write[1] not in ("Lease", *but)]


async def until(condition: Callable[[], Any]) -> None:
    """Wait for a condition, some seconds of the loop's time at most."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + WITHIN_S
    while not condition():
        assert loop.time() < deadline, "waited in vain"
        await asyncio.sleep(0.005)


async def while_it_runs(stage: Stage, story: Callable[[], Awaitable[None]]) -> None:
    with leave_out_waits():
        running = asyncio.create_task(stage.operator.run())
        try:
            await story()
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
