import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from builders import endpoint, manifest, model, provider
from fairlead.cli import main

CONFIG = {"regions": [{"name": "us-east-1", "geo": "us"}, {"name": "eu-west-1", "geo": "eu"}]}
PROVIDER = provider(
    "p",
    endpoints=[
        endpoint("us", "us-east-1", credential={"secretName": "p", "key": "us"}),
        endpoint("eu", "eu-west-1", credential={"secretName": "p", "key": "us"}),
    ],
    models=[model("small"), model("large")],
)
ROUTE = manifest("ModelRoute", "chat", "fairlead", {"primary": {"provider": "p", "model": "small"}})
CONSUMER = manifest("ModelConsumer", "agent", "team", {"keys": [{"secretName": "agent", "key": "apiKey"}]})
SECRETS = [
    {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "p"}, "stringData": {"us": "sk-provider"}},
    {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "agent", "namespace": "team"},
        "stringData": {"apiKey": "sk-${AGENT}"},
    },
]


def run(*arguments: str | Path, **environment: str) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], env=environment)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    write(tmp_path / "m" / "all.yaml", PROVIDER, ROUTE, CONSUMER)
    write(tmp_path / "fairlead.yaml", CONFIG)
    return tmp_path


def write(path: Path, *documents: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump_all(documents))


def test_help_loads_nothing_that_it_does_not_need() -> None:
    code = "import sys; from fairlead.cli import main\ntry: main(['--help'])\nfinally: print(sorted(sys.modules))"
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    for command in ("check", "render", "up", "status", "crds", "demo"):
        assert f"\n  {command} " in printed
    for heavy in ("pydantic", "yaml", "httpx", "structlog", "asyncio"):
        assert f"'{heavy}'" not in printed, heavy


@pytest.mark.parametrize("command", main.list_commands(None))  # type: ignore[arg-type]  # it does not look at it
def test_every_command_explains_itself(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: fairlead {command}")


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["check"], ["check", "-f", "/nowhere"], ["render", "-f", "/"], ["up", "-f", "/"], ["status"]],
)
def test_usage_errors_exit_with_2(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_check_says_first_what_a_person_wants_first(files: Path) -> None:
    result = run("check", "-f", files / "m")
    assert result.output == "ok: 1 file, 3 objects\n"
    assert result.exit_code == 0


def test_check_names_object_place_and_remedy(files: Path) -> None:
    wrong = manifest("ModelRoute", "chat", "fairlead", {"primary": {"provider": "p", "model": "smal"}})
    write(files / "m" / "all.yaml", PROVIDER, wrong)
    (files / "m" / "broken.yaml").write_text("kind: [")
    result = run("check", "-f", files / "m", "-c", files / "fairlead.yaml")
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert lines[0] == "found: 2 files, 2 objects, 2 problems"
    assert any(line.startswith(f"problem: {files}/m/broken.yaml:") for line in lines)
    assert any(line.startswith(f"problem: ModelRoute fairlead/chat ({files}/m/all.yaml:") for line in lines)
    assert any(line.startswith("  spec.primary.model: got `smal`, want ") for line in lines)


@pytest.mark.parametrize(("strict", "code"), [([], 0), (["--strict"], 1)])
def test_what_is_not_enforced_yet_is_a_warning(files: Path, strict: list[str], code: int) -> None:
    rollout = manifest(
        "ModelRoute",
        "chat",
        "fairlead",
        {"primary": {"provider": "p", "model": "small"}, "rollout": {"steps": [{"traffic": "5%", "hold": "1h"}]}},
    )
    write(files / "m" / "all.yaml", PROVIDER, rollout)
    result = run("check", "-f", files / "m", *strict)
    assert result.exit_code == code
    assert "spec.rollout: not enforced yet" in result.output


def test_check_for_machines(files: Path) -> None:
    write(files / "m" / "more.yaml", manifest("ModelRoute", "x", "fairlead", {}))
    result = run("check", "-f", files / "m", "-o", "json")
    assert result.exit_code == 1
    report = json.loads(result.output)
    assert (report["ok"], report["files"], report["objects"]) == (False, 2, 4)
    assert {notice["object"] for notice in report["notices"]} == {"ModelRoute fairlead/x"}
    assert {notice["source"] for notice in report["notices"]} == {f"{files}/m/more.yaml:1"}


def test_secrets_count_as_elsewhere_until_one_is_here(files: Path) -> None:
    assert run("check", "-f", files / "m").exit_code == 0
    write(files / "m" / "secrets.yaml", SECRETS[0])
    result = run("check", "-f", files / "m")
    assert result.exit_code == 1
    assert "spec.keys[0].secretName: got `agent`" in result.output
    write(files / "m" / "secrets.yaml", *SECRETS)
    assert "set the variable `AGENT`" in run("check", "-f", files / "m").output
    assert run("check", "-f", files / "m", AGENT="x").exit_code == 0


def test_an_installation_that_is_wrong_is_told_in_full(files: Path) -> None:
    write(files / "fairlead.yaml", {"regions": [{"name": "US"}], "limit": {}})
    result = run("check", "-f", files / "m", "-c", files / "fairlead.yaml")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    for part in (
        "regions[0].name: got `US`",
        "regions[0].geo: got nothing",
        "limit: got an unknown field, want `limits`",
    ):
        assert part in result.stderr


def test_render_writes_every_file_and_no_secret(files: Path) -> None:
    write(files / "m" / "secrets.yaml", *SECRETS)
    out = files / "out"
    arguments = ("render", "-f", files / "m", "-c", files / "fairlead.yaml", "-o", out)
    result = run(*arguments, AGENT="agent-key")
    assert result.exit_code == 0
    written = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    names = {"bootstrap.json", "xds/cds.json", "xds/lds.json", "xds/rds.json", "xds/sds-p_us.json"}
    assert written == {f"{region}/{name}" for region in ("us-east-1", "eu-west-1") for name in names}
    everything = b"".join((out / name).read_bytes() for name in written)
    assert b"/etc/fairlead/xds" in everything
    assert b"sk-provider" not in everything
    assert b"agent-key" not in everything
    before = {name: (out / name).stat().st_mtime_ns for name in written}
    (out / "us-east-1" / "xds" / "old.json").write_text("")
    run(*arguments, AGENT="agent-key")
    assert {str(p.relative_to(out)): p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()} == before


def test_render_of_one_region(files: Path) -> None:
    arguments = ["render", "-f", files / "m", "-c", files / "fairlead.yaml", "-o", files / "out", "--region"]
    assert run(*arguments, "eu-west-1").exit_code == 0
    assert [path.name for path in (files / "out").iterdir()] == ["eu-west-1"]
    assert run(*arguments, "mars").exit_code == 2


def test_crds_are_written(tmp_path: Path) -> None:
    assert run("crds", "-o", tmp_path / "crds").exit_code == 0
    generated = {path.name: path.read_bytes() for path in (tmp_path / "crds").iterdir()}
    committed = Path(__file__).resolve().parents[3] / "crds"
    assert generated == {path.name: path.read_bytes() for path in committed.iterdir()}


def test_status_without_a_run_says_so(files: Path) -> None:
    result = run("status", "-c", files / "fairlead.yaml")
    assert result.exit_code == 1
    assert "never ran here" in result.stderr


def test_up_needs_addresses(files: Path) -> None:
    result = run("up", "-f", files / "m", "-c", files / "fairlead.yaml")
    assert result.exit_code == 1
    assert "region `us-east-1`: listen: got nothing, want an address" in result.stderr
