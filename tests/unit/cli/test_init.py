"""`fairlead init`: the files that a newcomer edits."""

import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import Result
from command_line import run

from fairlead.demo.provider import SimulatedProvider

KEY = "sk-provider-1"
FILES = {"installation.yaml", "resources/providers.yaml", "resources/routes.yaml", "resources/secrets.yaml"}


@pytest.fixture(autouse=True)
def nobody_at_usual_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairlead.standalone.starter.OLLAMA", "http://127.0.0.1:1/v1")
    monkeypatch.setattr("fairlead.standalone.starter.VLLM", "http://127.0.0.1:1/v1")


@pytest.fixture
def provider() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(models=("gpt-4o-mini", "mystery"), keys=(KEY,)) as running:
        yield running


def init(folder: Path, provider: SimulatedProvider, *options: str, **environment: str) -> Result:
    named = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": provider.base_url, "OPENROUTER_API_KEY": ""}
    return run("init", folder, *options, **{**named, "ANTHROPIC_API_KEY": "", **environment})


def written(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_it_writes_what_checks_and_says_what_to_do(tmp_path: Path, provider: SimulatedProvider) -> None:
    folder = tmp_path / "my gateway"
    result = init(folder, provider)
    assert result.exit_code == 0, result.output
    assert written(folder) == {*FILES, ".gitignore"}
    secret = folder / "resources" / "secrets.yaml"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert (folder / ".gitignore").read_text() == "resources/secrets.yaml\n.fairlead/\n"
    (key,) = re.findall(r'"(fl-[\w-]{32})"', secret.read_text())
    assert key not in result.output
    assert all(KEY not in (folder / name).read_text() for name in FILES)
    for words in ("2 models of openai", "genai-prices", "mystery", "fairlead up -f '", "curl http://127.0.0.1:8101/"):
        assert words in result.output
    kinds = [one["kind"] for one in yaml.safe_load_all((folder / "resources" / "routes.yaml").read_text())]
    assert kinds == ["ModelRoute", "ModelConsumer", "BudgetPolicy"]
    paths = ("-f", folder / "resources", "-c", folder / "installation.yaml")
    checked = run("check", *paths, OPENAI_API_KEY=KEY)
    assert checked.exit_code == 0, checked.output
    assert "1 warning\n" in checked.output, "the budget does not bound what nobody prices"
    assert "got `openai/api/mystery` without a price" in checked.output


@pytest.mark.parametrize(("api", "model"), [("OPENAI", "gpt-4o-mini"), ("ANTHROPIC", "claude-3-5-haiku-latest")])
def test_prices_that_it_wrote_are_compared_with_the_list_that_they_are_of(tmp_path: Path, api: str, model: str) -> None:
    header = {"header": "x-api-key", "anthropic": True} if api == "ANTHROPIC" else {}
    nobody = {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": "", "ANTHROPIC_API_KEY": ""}
    with SimulatedProvider(models=(model,), keys=(KEY,), **header) as own:
        init(tmp_path, own, **{**nobody, f"{api}_API_KEY": KEY, f"{api}_BASE_URL": own.base_url})
    catalogue = tmp_path / "resources" / "providers.yaml"
    paths = ("-f", tmp_path / "resources", "-c", tmp_path / "installation.yaml")
    compared = run("check", *paths, "--prices", **{f"{api}_API_KEY": KEY})
    assert "1 models compared, 0 prices differ" in compared.output
    catalogue.write_text(re.sub(r'input: "[0-9.]+"', 'input: "99"', catalogue.read_text(), count=1))
    compared = run("check", *paths, "--prices", **{f"{api}_API_KEY": KEY})
    assert "1 models compared, 1 prices differ" in compared.output


def test_check_says_which_variable_is_not_set(
    tmp_path: Path, provider: SimulatedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    init(tmp_path, provider)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    checked = run("check", "-f", tmp_path / "resources", "-c", tmp_path / "installation.yaml")
    assert checked.exit_code == 1
    assert "want it in the environment, set the variable `OPENAI_API_KEY`" in checked.output


@pytest.mark.parametrize("name", sorted(FILES))
def test_it_overwrites_nothing(tmp_path: Path, provider: SimulatedProvider, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).symlink_to("/nowhere")
    result = init(tmp_path, provider)
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert f"{tmp_path / name}: there already" in result.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_what_git_leaves_out_already_stays_named(tmp_path: Path, provider: SimulatedProvider) -> None:
    (tmp_path / ".gitignore").write_text("*.log\n.fairlead/")
    init(tmp_path, provider)
    assert (tmp_path / ".gitignore").read_text() == "*.log\n.fairlead/\nresources/secrets.yaml\n"


def test_two_keys_are_never_the_same(tmp_path: Path, provider: SimulatedProvider) -> None:
    for name in "ab":
        init(tmp_path / name, provider)
    texts = {(tmp_path / name / "resources" / "secrets.yaml").read_text() for name in "ab"}
    assert len(texts) == 2


def test_the_port_is_whose_that_asks(tmp_path: Path, provider: SimulatedProvider) -> None:
    result = init(tmp_path, provider, "--port", "8555")
    assert 'listen: "127.0.0.1:8555"' in (tmp_path / "installation.yaml").read_text()
    assert "http://127.0.0.1:8555/v1" in result.output


def test_without_anybody_nothing_is_written(tmp_path: Path, provider: SimulatedProvider) -> None:
    result = init(tmp_path, provider, OPENAI_API_KEY="", OPENAI_BASE_URL="")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "set OPENAI_API_KEY" in result.stderr
    assert written(tmp_path) == set()
