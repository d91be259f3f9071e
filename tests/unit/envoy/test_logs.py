import json
import re
from typing import Any

import pytest

from fairlead.envoy import logs

OPERATOR = re.compile(r"%(?:COALESCE\(\{.*?\}\]\}\)|CEL\(.*?\)|[A-Z_]+(?:\(.*?\))?)%")


def text(logger: dict[str, Any]) -> str:
    line: str = logger["typed_config"]["log_format"]["text_format_source"]["inline_string"]
    assert line.endswith("}\n")
    return line


def fields(logger: dict[str, Any]) -> dict[str, Any]:
    """The line's members, every operator replaced by a number, which fits with and without quotes."""
    if "json_format" in logger["typed_config"]["log_format"]:
        return dict(logger["typed_config"]["log_format"]["json_format"])
    line = text(logger)
    members = logs.ATTEMPT_MEMBERS if "?x-fl-attempt" in line else logs.NO_USAGE.replace("null", "1")
    head, _, _ = line.rpartition(",%COALESCE")
    line = f"{head},{members}}}"
    return dict(json.loads(OPERATOR.sub("1", line)))


@pytest.mark.parametrize("make", [logs.request_loggers, logs.shadow_loggers], ids=["request", "shadow"])
def test_a_text_and_an_object_have_the_same_fields(make: Any) -> None:
    served, others = make("/log", "eu-west-1")
    assert set(fields(served)) == set(fields(others))


@pytest.mark.parametrize(
    ("make", "kind"), [(logs.request_loggers, "request"), (logs.shadow_loggers, "shadow")], ids=["request", "shadow"]
)
def test_lines_say_who_what_where_and_how_much(make: Any, kind: str) -> None:
    for logger in make("/log", "eu-west-1"):
        line = fields(logger)
        assert (line["kind"], line["gateway_region"]) == (kind, "eu-west-1")
        assert {"ts", "request_id", "consumer", "route", "model", "stream", "target", "provider", "region"} <= set(line)
        assert {"prompt_tokens", "completion_tokens", "cached_tokens", "model_served", "usage_status"} <= set(line)


def test_an_attempt_says_its_number_and_whose_it_is() -> None:
    served, failed = logs.attempt_loggers("/log", "eu-west-1")
    line = fields(served)
    assert {"attempt", "consumer", "model", "stream", "target", "model_sent", "status", "first_byte_ms"} <= set(line)
    assert set(fields(failed)) == set(line)


def test_numbers_have_no_quotes() -> None:
    served, _ = logs.request_loggers("/log", "eu-west-1")
    line = fields(served)
    numbers = {name for name, value in line.items() if value == 1}
    assert numbers == {
        "attempts",
        "bytes_in",
        "bytes_out",
        "cached_tokens",
        "completion_tokens",
        "first_byte_ms",
        "latency_ms",
        "prompt_tokens",
        "status",
        "stream",
        "usage_status",
    }


@pytest.mark.parametrize("make", [logs.request_loggers, logs.attempt_loggers, logs.shadow_loggers])
@pytest.mark.parametrize("secret", ["authorization", "x-api-key", ":path", "PATH", "QUERY", "credential", "cookie"])
def test_nothing_secret_is_written(make: Any, secret: str) -> None:
    assert secret.lower() not in json.dumps(make("/log", "eu-west-1")).lower().replace("filter_metadata", "").replace(
        '"path": "/log"', ""
    ).replace('"path": [{"key": "way"}]', "")


def test_constants_of_the_formats_stand_in_the_listener() -> None:
    constants = logs.LISTENER_METADATA["filter_metadata"]["fairlead"]
    named = set(re.findall(r"LISTENER:fairlead:(\w+)", json.dumps(logs.attempt_loggers("/log", "r"))))
    named |= set(
        re.findall(
            r"LISTENER:fairlead:(\w+)", json.dumps([*logs.token_counts().values(), logs.USAGE_MEMBERS, logs.CASCADE])
        )
    )
    assert named == set(constants)
    json.loads(
        "{" + constants["no_usage"] + "," + constants["no_attempt"] + ',"first_byte_ms":' + constants["none"] + "}"
    )
