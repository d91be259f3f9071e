from typing import Any

import pytest

from fairlead.api.installation import Installation, decode_installation
from fairlead.api.problem import Problem

REGIONS = [
    {"name": "us-east-1", "geo": "us", "listen": "127.0.0.1:8101"},
    {"name": "eu-west-1", "geo": "eu", "listen": "[::1]:8102"},
    {"name": "eu-central-1", "geo": "eu"},
]


def _decoded(**fields: Any) -> Installation:
    decoded = decode_installation({"regions": REGIONS, **fields})
    assert isinstance(decoded, Installation)
    return decoded


def _problems(document: object) -> list[str]:
    decoded = decode_installation(document)
    assert isinstance(decoded, tuple)
    assert all(isinstance(problem, Problem) for problem in decoded)
    return [str(problem) for problem in decoded]


def test_defaults() -> None:
    installation = _decoded()
    assert installation.namespace == "fairlead"
    assert installation.anonymous is None
    assert installation.limits.request_bytes == 16 * 2**20
    assert (installation.budgets.store, installation.budgets.failure_policy) == (None, "Open")
    assert installation.budgets.timeout == "250ms"
    assert (installation.log.level, installation.log.access) == ("Info", "All")


def test_the_whole_of_the_design_s_example() -> None:
    installation = _decoded(
        namespace="llm",
        serve=["us-east-1", "eu-west-1"],
        anonymous="Deny",
        limits={"requestBytes": 1024},
        budgets={"store": "redis://:secret@valkey:6379/0", "failurePolicy": "Closed", "timeout": "1s"},
        log={"level": "Debug", "access": "None"},
    )
    assert installation.anonymous == "Deny"


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "https://chat.example.com",
        "http://localhost:3000",
        "http://[::1]:5173",
        "app://obsidian.md",
        "tauri://localhost",
        "chrome-extension://abcdefghijklmnop",
    ],
)
def test_origins_as_browsers_state_them(origin: str) -> None:
    cors = _decoded(cors={"allowOrigins": [origin]}).cors
    assert cors
    assert cors.allow_origins == (origin,)


@pytest.mark.parametrize(
    ("address", "receiver"),
    [
        ("grpc://otel-collector.monitoring.svc", ("grpc", "otel-collector.monitoring.svc", 4317)),
        ("grpc://127.0.0.1:14317", ("grpc", "127.0.0.1", 14317)),
        ("http://collector", ("http", "collector", 4318)),
        ("http://[::1]:4318", ("http", "::1", 4318)),
    ],
)
def test_who_takes_telemetry(address: str, receiver: tuple[str, str, int]) -> None:
    telemetry = _decoded(telemetry={"otlp": address}).telemetry
    assert telemetry
    assert (telemetry.receiver, telemetry.sample) == (receiver, "5%")


def test_all_regions_are_served_unless_some_are_named() -> None:
    assert [region.name for region in _decoded().served] == ["us-east-1", "eu-west-1", "eu-central-1"]
    # In the order of `regions`, whatever the order of `serve`.
    assert [region.name for region in _decoded(serve=["eu-west-1", "us-east-1"]).served] == ["us-east-1", "eu-west-1"]


def test_listen_addresses() -> None:
    assert [region.listen_address for region in _decoded().regions] == [("127.0.0.1", 8101), ("::1", 8102), None]


@pytest.mark.parametrize(
    ("document", "problems"),
    [
        pytest.param(
            None,
            ["got nothing, want a mapping with `regions`"],
            id="empty",
        ),
        pytest.param({}, ["regions: got nothing, want a list, add it"], id="no regions"),
        pytest.param(
            {"regions": []}, ["regions: got an empty list, want at least 1 entry, add one"], id="empty regions"
        ),
        pytest.param(
            {"regions": [{"name": "a"}]},
            ["regions[0].geo: got nothing, want a DNS label: "],
            id="geo is required",
        ),
        pytest.param(
            {"regions": [{"name": "a", "geo": "x"}, {"name": "a", "geo": "y"}]},
            ["regions[1].name: got `a` a second time, want each `name` once, change or remove it"],
            id="a region twice",
        ),
        pytest.param(
            {"regions": [{"name": "a", "geo": "x"}], "serve": ["b"]},
            ["serve[0]: got a region that `regions` does not have, want names of `regions`"],
            id="serves an unknown region",
        ),
        pytest.param(
            {
                "regions": [
                    {"name": "a", "geo": "x", "listen": "0.0.0.0:1"},
                    {"name": "b", "geo": "x", "listen": "0.0.0.0:1"},
                ]
            },
            ["regions[1].listen: got one `listen` address twice, want each region at its own, change one"],
            id="one address for two",
        ),
        pytest.param(
            {"regions": [{"name": "a", "geo": "x", "listen": 8101}]},
            ["regions[0].listen: got the number `8101`, want an IP address and a port in quotes"],
            id="a port only",
        ),
        pytest.param(
            {"regions": [{"name": "a", "geo": "x", "listen": "localhost:8101"}]},
            ["regions[0].listen: got `localhost:8101`, want an IP address and a port in quotes"],
            id="a name for an address",
        ),
        *(
            pytest.param(
                {"regions": [{"name": "a", "geo": "x"}], "telemetry": {"otlp": address}},
                [f"telemetry.otlp: got `{address}`, want the address of an OTLP receiver without a path"],
                id=address,
            )
            for address in ("https://collector", "collector:4317", "http://collector/v1/traces", "grpc://collector:0")
        ),
        *(
            pytest.param(
                {"regions": [{"name": "a", "geo": "x"}], "cors": {"allowOrigins": origins}}, [problem], id=f"{origins}"
            )
            for origins, problem in (
                ([], "cors.allowOrigins: got an empty list, want at least 1 entry, leave `cors` out for nobody"),
                (
                    ["*", "https://a.example.com"],
                    "cors.allowOrigins: got `*` beside others, which it includes, want it alone",
                ),
                (
                    ["https://a.example.com", "https://a.example.com"],
                    "cors.allowOrigins[1]: got `https://a.example.com`",
                ),
                (
                    ["https://a.example.com/"],
                    "cors.allowOrigins[0]: got `https://a.example.com/`, want an origin as browsers state it: scheme",
                ),
                (["a.example.com"], "cors.allowOrigins[0]: got `a.example.com`, want an origin"),
                (["https://*.example.com"], "cors.allowOrigins[0]: got `https://*.example.com`, want an origin"),
                (["https://A.example.com"], "cors.allowOrigins[0]: got `https://A.example.com`, want an origin"),
                (["null"], "cors.allowOrigins[0]: got `null`, want an origin"),
                (
                    ["https://a.example.com:443"],
                    "cors.allowOrigins[0]: got `https://a.example.com:443`, want no port that the scheme has anyway",
                ),
            )
        ),
        pytest.param(
            {"regions": [{"name": "a", "geo": "x"}], "anonymous": "allow"},
            ["anonymous: got `allow`, want one of `Allow`, `Deny`, write `Allow`"],
            id="an enum in lower case",
        ),
        pytest.param(
            {"regions": [{"name": "a", "geo": "x"}], "region": []},
            ["region: got an unknown field, want `regions`, rename or remove it"],
            id="a typo",
        ),
        pytest.param(
            {"regions": [{"name": "a", "geo": "x"}], "budgets": {"store": "mysql://user:secret@db"}},
            [
                "budgets.store: got a string of 22 characters in another form, want the URL of a",
            ],
            id="a store with its password is not repeated",
        ),
    ],
)
def test_what_is_wrong_is_told(document: object, problems: list[str]) -> None:
    found = _problems(document)
    assert [line[: len(start)] for line, start in zip(found, problems, strict=True)] == problems
