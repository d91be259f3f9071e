from pathlib import Path

import pytest
from command_line import run

from fairlead.demo.provider import SimulatedProvider

NOBODY = {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": "", "OPENROUTER_API_KEY": "", "ANTHROPIC_API_KEY": ""}
KEY = "sk-provider-1"


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder, with nobody at the usual ports of this machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("fairlead.standalone.starter.OLLAMA", "http://127.0.0.1:1/v1")
    monkeypatch.setattr("fairlead.standalone.starter.VLLM", "http://127.0.0.1:1/v1")
    return tmp_path


def test_up_needs_addresses(files: Path) -> None:
    result = run("up", "-f", files / "m", "-c", files / "fairlead.yaml")
    assert result.exit_code == 1
    assert "region `us-east-1`: listen: got nothing, want an address" in result.stderr


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "set OPENAI_API_KEY"),
        ({"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": "http://127.0.0.1:1"}, "check `ANTHROPIC_BASE_URL`"),
        ({"OPENAI_API_KEY": "wrong", "OPENAI_BASE_URL": "SIMULATED"}, "correct OPENAI_API_KEY"),
        ({"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "SIMULATED/chat/completions"}, "write `OPENAI_BASE_URL="),
        ({"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}, "cannot be reached: connection refused"),
        ({"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "https://no-such-name.invalid/v1"}, "no such name"),
        ({"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://u:secret@127.0.0.1:1/v1"}, "=http://127.0.0.1:1/v1`"),
        ({"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://127.0.0.1:99999/v1"}, "OPENAI_BASE_URL: got another form"),
        ({"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://[::1/v1"}, "OPENAI_BASE_URL: got another form"),
        (
            {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": "127.0.0.1:1?a=b"},
            "`ANTHROPIC_BASE_URL=http://127.0.0.1:1`",
        ),
        ({"OPENAI_API_KEY": "two\nlines", "OPENAI_BASE_URL": "SIMULATED"}, "OPENAI_API_KEY: got a blank, a line break"),
        ({"ANTHROPIC_API_KEY": "schl\u00fcssel", "ANTHROPIC_BASE_URL": "http://127.0.0.1:1"}, "ANTHROPIC_API_KEY: got"),
    ],
)
def test_without_files_what_is_missing_is_one_line(environment: dict[str, str], words: str, alone: Path) -> None:
    with SimulatedProvider(models=("a",), keys=(KEY,)) as provider:
        environment = {name: value.replace("SIMULATED", provider.base_url) for name, value in environment.items()}
        result = run("up", **{**NOBODY, **environment})
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1), result
    assert result.stderr.startswith("error: ")
    assert words in result.stderr
    assert "secret" not in result.stderr
    assert [*alone.iterdir()] == []


@pytest.mark.parametrize(
    ("protocol", "models", "words"),
    [
        ("OPENAI", ("*", " blank"), "openai: not served, by their names or their number: *,  blank"),
        (
            "ANTHROPIC",
            ("text-embedding-3-small",),
            "anthropic: not served, since Anthropic's API makes no vectors: text-",
        ),
    ],
)
@pytest.mark.parametrize("command", ["up", "init"])
def test_a_list_of_which_nothing_can_be_served_is_one_line(
    command: str, protocol: str, models: tuple[str, ...], words: str, alone: Path
) -> None:
    anthropic = protocol == "ANTHROPIC"
    header = {"header": "x-api-key"} if anthropic else {}
    with SimulatedProvider(models=models, keys=(KEY,), anthropic=anthropic, **header) as provider:
        named = {f"{protocol}_API_KEY": KEY, f"{protocol}_BASE_URL": provider.base_url}
        result = run(command, **{**NOBODY, **named})
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1), result
    assert words in result.stderr
    assert [*alone.iterdir()] == []


def test_half_of_the_files_is_a_usage_error(tmp_path: Path) -> None:
    result = run("up", "-f", tmp_path)
    assert result.exit_code == 2
    assert "give both -f PATH and -c CONFIG" in result.stderr
