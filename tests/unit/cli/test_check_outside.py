"""`fairlead check --prices` and `--probe`: what files say, held against what there is."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from command_line import run, write

from builders import endpoint, manifest, provider
from fairlead.demo.provider import SimulatedProvider

KEY = "sk-provider-1"
OPENAI = "https://api.openai.com/v1"


@pytest.fixture(scope="module")
def simulated() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(models=("small", "large"), keys=(KEY,)) as running:
        yield running


def model(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "usdPerMillionTokens": {"input": "2.50", "output": "10"}, **fields}


def check(folder: Path, *options: str, catalogue: list[Any], **endpoint_fields: Any) -> Result:
    written = provider(
        "p",
        endpoints=[endpoint("one", "us-east-1", **{"credential": {"secretName": "p"}, **endpoint_fields})],
        models=catalogue,
    )
    route = manifest("ModelRoute", "r", "fairlead", {"modelNames": ["*"], "primary": {"provider": "p"}})
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "p"}, "stringData": {"apiKey": "${P}"}}
    write(folder / "m" / "all.yaml", written, route, secret)
    return run("check", "-f", folder / "m", *options, P=KEY)


def test_prices_that_differ_are_named_with_by_how_much(tmp_path: Path) -> None:
    dearer = {"input": "3", "output": "10", "cachedInput": "1.25"}
    models = [model("gpt-4o", usdPerMillionTokens=dearer), model("mine", id="gpt-4o"), model("nobody-knows-it")]
    result = check(tmp_path, "--prices", baseURL=OPENAI, catalogue=models)
    assert result.exit_code == 0
    said = "spec.models[0].usdPerMillionTokens.input: got `3.00`, 20% more than in public (`2.50`)"
    assert said in result.output
    assert result.output.count("in public (") == 1
    assert "2 models compared, 1 prices differ, 1 not in the list" in result.output
    assert check(tmp_path, "--prices", "--strict", baseURL=OPENAI, catalogue=models).exit_code == 1


@pytest.mark.parametrize(
    ("option", "url", "field"),
    [("--prices", OPENAI, "input: '3'"), ("--probe", "http://127.0.0.1:1/v1", "baseURL:")],
)
def test_what_is_held_against_the_world_has_the_line_of_its_field(
    tmp_path: Path, option: str, url: str, field: str
) -> None:
    dearer = model("gpt-4o", usdPerMillionTokens={"input": "3", "output": "10"})
    result = check(tmp_path, option, baseURL=url, catalogue=[model("gpt-4.1"), dearer])
    lines = (tmp_path / "m" / "all.yaml").read_text().splitlines()
    (at,) = [number for number, line in enumerate(lines, 1) if field in line]
    assert f"all.yaml:{at})" in result.output, result.output


def test_an_endpoints_own_price_and_id_count_for_it(tmp_path: Path) -> None:
    own = [{"name": "mine", "id": "gpt-4o", "usdPerMillionTokens": {"input": "2.50", "output": "5"}}]
    result = check(tmp_path, "--prices", baseURL=OPENAI, catalogue=[model("mine")], models=own)
    assert "spec.endpoints[0].models[0].usdPerMillionTokens.output: got `5.00`, 50% less" in result.output


def test_an_endpoint_that_is_as_declared_is_said_to_be(tmp_path: Path, simulated: SimulatedProvider) -> None:
    models = [model("small"), model("l", id="large")]
    result = check(tmp_path, "--probe", baseURL=simulated.base_url, catalogue=models)
    assert result.exit_code == 0, result.output
    assert "probed: p/one: reachable, key accepted, 2 of 2 models known there" in result.output
    machine = check(tmp_path, "--probe", "-o", "json", baseURL=simulated.base_url, catalogue=models)
    assert json.loads(machine.stdout)["asked"] == ["probed: p/one: reachable, key accepted, 2 of 2 models known there"]
    assert KEY not in result.output + machine.output


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda url: url.removesuffix("/v1"), "answered 404, want a list of models, write `baseURL: {}`"),
        (lambda url: f"{url}/chat/completions", "answered 404, want a list of models, write `baseURL: {}`"),
        (lambda url: url.replace(url.rpartition(":")[2], "1/v1"), "cannot be reached: connection refused"),
        (lambda _: "https://no-such-name.invalid/v1", "no such name, want the name of a host, check `baseURL`"),
    ],
    ids=["without /v1", "with a path too much", "nobody there", "a dead name"],
)
def test_an_address_that_is_wrong_says_what_to_write(
    tmp_path: Path, simulated: SimulatedProvider, change: Any, words: str
) -> None:
    result = check(tmp_path, "--probe", baseURL=change(simulated.base_url), catalogue=[model("small")])
    assert result.exit_code == 1
    assert "problem: ModelProvider fairlead/p" in result.output
    assert "spec.endpoints[0].baseURL: " in result.output
    assert words.format(simulated.base_url) in result.output


def test_a_wrong_key_is_named_by_its_place_and_not_shown(tmp_path: Path, simulated: SimulatedProvider) -> None:
    check(tmp_path, baseURL=simulated.base_url, catalogue=[model("small")])
    result = run("check", "-f", tmp_path / "m", "--probe", P="sk-wrong")
    assert result.exit_code == 1
    assert "answered 401, want a key that it accepts, correct Secret fairlead/p, key `apiKey`" in result.output
    assert "sk-wrong" not in result.output


def test_a_model_that_is_not_listed_is_named_with_what_was_meant(tmp_path: Path, simulated: SimulatedProvider) -> None:
    result = check(tmp_path, "--probe", baseURL=simulated.base_url, catalogue=[model("small"), model("big", id="larg")])
    assert result.exit_code == 1
    assert "spec.models[1]: got the id `larg`, which p/one does not list" in result.output
    assert "did you mean `large`" in result.output


def test_a_key_that_no_file_holds_is_a_warning_and_nothing_is_made_up(
    tmp_path: Path, simulated: SimulatedProvider
) -> None:
    check(tmp_path, baseURL=simulated.base_url, catalogue=[model("small")])
    path = tmp_path / "m" / "all.yaml"
    path.write_text("---\n".join(path.read_text().split("---\n")[:2]))
    result = run("check", "-f", tmp_path / "m", "--probe")
    assert result.exit_code == 0, result.output
    assert "answered 401 without a key, want the key that no file holds" in result.output


@pytest.mark.parametrize(
    ("module", "option", "extra"), [("genai_prices", "--prices", "init"), ("httpx", "--probe", "standalone")]
)
def test_what_is_not_installed_is_one_line(tmp_path: Path, module: str, option: str, extra: str) -> None:
    check(tmp_path, baseURL=OPENAI, catalogue=[model("small")])
    words = ["check", "-f", str(tmp_path / "m"), option]
    code = f"import sys; sys.modules[{module!r}] = None\nfrom fairlead.cli import main; main({words!r})"
    told = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)
    assert (told.returncode, told.stdout, told.stderr.count("\n")) == (1, "", 1), told
    assert f"'fairlead[{extra}]'" in told.stderr


def test_deployments_of_azure_are_not_held_against_its_list(tmp_path: Path) -> None:
    azure = {"header": "api-key", "base": "/openai", "azure": True}
    with SimulatedProvider(models=("gpt-4o",), keys=(KEY,), **azure) as running:
        one = endpoint(
            "one", "us-east-1", baseURL=running.base_url, apiVersion="2024-10-21", credential={"secretName": "p"}
        )
        written = provider("p", protocol="AzureOpenAI", endpoints=[one], models=[model("mine")])
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "p"}, "stringData": {"apiKey": "${P}"}}
        write(tmp_path / "m" / "all.yaml", written, secret)
        result = run("check", "-f", tmp_path / "m", "--probe", P=KEY)
        assert result.exit_code == 0, result.output
        said = "probed: p/one: reachable, key accepted; it lists no deployments, so their names are not checked"
        assert said in result.output
        wrong = run("check", "-f", tmp_path / "m", "--probe", P="sk-wrong")
        assert wrong.exit_code == 1
        where = f"{running.base_url}/models?api-version=2024-10-21"
        assert f"spec.endpoints[0].credential: {where} answered 401" in wrong.output, wrong.output


@pytest.mark.parametrize("id_", ["flash", "models/flash"])
def test_a_model_of_gemini_may_be_called_as_its_list_has_it(tmp_path: Path, id_: str) -> None:
    base = "/v1beta/openai"
    with SimulatedProvider(models=("flash",), keys=(KEY,), base=base, gemini=True) as running:
        one = endpoint("one", "us-east-1", baseURL=running.base_url, credential={"secretName": "p"})
        written = provider("p", protocol="Gemini", endpoints=[one], models=[model("mine", id=id_)])
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "p"}, "stringData": {"apiKey": "${P}"}}
        write(tmp_path / "m" / "all.yaml", written, secret)
        result = run("check", "-f", tmp_path / "m", "--probe", P=KEY)
        assert result.exit_code == 0, result.output
        assert "probed: p/one: reachable, key accepted, 1 of 1 models known there" in result.output


def test_nobody_is_sent_what_signs_requests(tmp_path: Path) -> None:
    with SimulatedProvider(models=("m",), keys=("AKID:secret",), base="", bedrock=True) as running:
        one = endpoint(
            "one", "us-east-1", baseURL=running.base_url, awsRegion="us-east-1", credential={"secretName": "p"}
        )
        written = provider("p", protocol="Bedrock", endpoints=[one], models=[model("m")])
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "p"}, "stringData": {"apiKey": "${P}"}}
        write(tmp_path / "m" / "all.yaml", written, secret)
        result = run("check", "-f", tmp_path / "m", "--probe", P=KEY)
        assert result.exit_code == 0, result.output
        assert "probed: p/one: reachable; it lists no models and answers nothing unsigned" in result.output
        (record,) = running.control.requests()
        assert not [value for _, value in record.headers if KEY in value]
        running.control.die()
        result = run("check", "-f", tmp_path / "m", "--probe", P=KEY)
        assert (result.exit_code, "cannot be reached" in result.output) == (1, True)
