import json
from pathlib import Path

import pytest
from command_line import PROVIDER, ROUTE, SECRETS, run, write

from builders import manifest


def test_check_says_first_what_a_person_wants_first(files: Path) -> None:
    result = run("check", "-f", files / "m")
    ok, _, assumed = result.output.splitlines()
    assert ok == "ok: 1 file, 3 objects"
    assert assumed.endswith("`fairlead up` needs them: fairlead/p, team/agent")
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
def test_rules_that_lead_back_are_a_warning(files: Path, strict: list[str], code: int) -> None:
    spec = ROUTE["spec"]
    there = {"rules": [{"name": "a", "when": {"tools": True}, "route": "other"}]}
    back = {"rules": [{"name": "b", "when": {"tools": False}, "route": "chat"}]}
    routes = [
        manifest("ModelRoute", "chat", "fairlead", spec | there),
        manifest("ModelRoute", "other", "fairlead", spec | back),
    ]
    write(files / "m" / "all.yaml", PROVIDER, *routes)
    result = run("check", "-f", files / "m", *strict)
    assert result.exit_code == code
    assert "whose rules lead back here" in result.output


def test_check_for_machines(files: Path) -> None:
    write(files / "m" / "more.yaml", manifest("ModelRoute", "x", "fairlead", {}))
    result = run("check", "-f", files / "m", "-o", "json")
    assert result.exit_code == 1
    report = json.loads(result.output)
    assert (report["ok"], report["files"], report["objects"]) == (False, 2, 4)
    assert {diagnostic["object"] for diagnostic in report["diagnostics"]} == {"ModelRoute fairlead/x"}
    assert {diagnostic["source"] for diagnostic in report["diagnostics"]} == {f"{files}/m/more.yaml:6"}


def test_where_up_would_refuse_check_is_not_silent(files: Path) -> None:
    regions = [{"name": "us-east-1", "geo": "us", "listen": "127.0.0.1:8101"}, {"name": "eu-west-1", "geo": "eu"}]
    write(files / "fairlead.yaml", {"regions": regions})
    result = run("check", "-f", files / "m", "-c", files / "fairlead.yaml")
    assert result.exit_code == 1
    assert "spec.keys[0].secretName: got `agent`" in result.output
    assert "assumed" not in result.output
    write(files / "m" / "secrets.yaml", *SECRETS)
    told = run("check", "-f", files / "m", "-c", files / "fairlead.yaml", AGENT="x")
    assert told.exit_code == 1
    assert "region `eu-west-1`: listen: got nothing, want an address" in told.output
    write(files / "fairlead.yaml", {"regions": regions, "serve": ["us-east-1"]})
    assert run("check", "-f", files / "m", "-c", files / "fairlead.yaml", AGENT="x").exit_code == 0


def test_secrets_count_as_elsewhere_until_one_is_here(files: Path) -> None:
    assert run("check", "-f", files / "m").exit_code == 0
    write(files / "m" / "secrets.yaml", SECRETS[0])
    result = run("check", "-f", files / "m")
    assert result.exit_code == 1
    assert "spec.keys[0].secretName: got `agent`" in result.output
    write(files / "m" / "secrets.yaml", *SECRETS)
    assert "set the variable `AGENT`" in run("check", "-f", files / "m").output
    assert run("check", "-f", files / "m", AGENT="x").exit_code == 0


def test_check_judges_all_files_beside_one_that_is_none(files: Path) -> None:
    (files / "m" / "loop.yaml").symlink_to("loop.yaml")
    result = run("check", "-f", files / "m")
    assert result.output.splitlines()[0] == "found: 2 files, 3 objects, 1 problem"
    assert "loop.yaml" in result.output
    assert result.exit_code == 1


def test_an_empty_folder_is_a_warning_and_when_strict_an_error(tmp_path: Path) -> None:
    assert run("check", "-f", tmp_path).exit_code == 0
    told = run("check", "-f", tmp_path, "--strict")
    assert told.exit_code == 1
    assert "got no manifest, want *.yaml" in told.output


def test_one_missing_provider_is_one_problem(tmp_path: Path) -> None:
    spec = {"primary": {"provider": "q", "model": "m"}, "fallbacks": [{"provider": "q", "model": "n"}]}
    write(tmp_path / "m" / "all.yaml", *(manifest("ModelRoute", name, "fairlead", spec) for name in "abc"))
    told = run("check", "-f", tmp_path / "m")
    assert "3 objects, 1 problem" in told.output
    assert "create it; needed by `ModelRoute fairlead/b`, `ModelRoute fairlead/c`" in told.output
