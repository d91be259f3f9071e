"""What is served without a file: names, prices, bounds, and that the files say what was meant."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from fairlead.api.protocol import Protocol
from fairlead.budget.public_price import PublicPrice
from fairlead.standalone import starter_files
from fairlead.standalone.offline import compile_offline
from fairlead.standalone.starter import (
    ANTHROPIC,
    MOST_MODELS,
    OLLAMA,
    OPENAI,
    OPENROUTER,
    VLLM,
    Offer,
    Source,
    Starter,
    sources,
    starter,
)
from fairlead.standalone.starter_files import Access

ANYBODY = Access(consumer="local", keys={"any": "fairlead"}, anonymous=True, usd_per_day=None)


class List:
    """A list that prices whatever has `priced` in its name."""

    edition = "a list of today"

    def of(self, base_url: str, model: str, *, maker: str | None = None) -> PublicPrice | None:
        del base_url, maker
        if "priced" not in model:
            return None
        output = None if "by-the-minute" in model or "embed" in model else 600_000_000
        return PublicPrice(
            input=150_000_000, output=output, cached_input=75_000_000, context_window=128_000, tiered="tiered" in model
        )


def source(name: str, *, variable: str | None = "KEY", sought: bool = False) -> Source:
    return Source(name=name, base_url=f"https://{name}.example.com/v1", variable=variable, sought=sought)


def offer(name: str, *models: str, sought: bool = False) -> Offer:
    return Offer(source=source(name, variable=None if sought else "KEY", sought=sought), models=models)


def names(made: Starter) -> dict[str, dict[str, str]]:
    return {one.source.name: {entry.name: entry.id for entry in one.entries} for one in made.catalogues}


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({}, {}),
        ({"OPENAI_API_KEY": "k"}, {"openai": (OPENAI, "OPENAI_API_KEY")}),
        ({"OPENAI_API_KEY": ""}, {}),
        ({"ANTHROPIC_API_KEY": "k"}, {"anthropic": (ANTHROPIC, "ANTHROPIC_API_KEY")}),
        (
            {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": "https://llm.example.com/"},
            {"anthropic": ("https://llm.example.com", "ANTHROPIC_API_KEY")},
        ),
        ({"OPENROUTER_API_KEY": "k"}, {"openrouter": (OPENROUTER, "OPENROUTER_API_KEY")}),
        ({"OPENAI_BASE_URL": "https://llm.example.com/v1/"}, {"openai": ("https://llm.example.com/v1", None)}),
        (
            {"OPENAI_BASE_URL": "https://llm.example.com/v1", "OPENAI_API_KEY": "k", "OPENROUTER_API_KEY": "l"},
            {
                "openai": ("https://llm.example.com/v1", "OPENAI_API_KEY"),
                "openrouter": (OPENROUTER, "OPENROUTER_API_KEY"),
            },
        ),
    ],
)
def test_the_environment_says_whom_to_ask(
    environment: dict[str, str], found: dict[str, tuple[str, str | None]]
) -> None:
    named = [one for one in sources(environment) if not one.sought]
    assert {one.name: (one.base_url, one.variable) for one in named} == found
    assert [one.name for one in named] == list(found)
    assert {one.base_url for one in sources(environment) if one.sought} == {OLLAMA, VLLM}


@pytest.mark.parametrize("url", ["http://localhost:8000/v1", "http://127.0.0.1:8000", "http://[::1]:8000/v1"])
def test_whoever_is_named_is_not_sought_as_well(url: str) -> None:
    assert [one.name for one in sources({"OPENAI_BASE_URL": url})] == ["openai", "ollama"]


def test_a_model_of_two_is_the_first_ones_and_each_ones_by_its_name() -> None:
    made = starter([offer("a", "x", "both"), offer("b", "both", "y"), offer("c", "z")], None)
    assert names(made) == {
        "a": {"x": "x", "both": "both", "a/both": "both"},
        "b": {"b/both": "both", "y": "y"},
        "c": {"z": "z"},
    }


def test_a_name_that_is_taken_by_an_alias_is_there_by_its_providers_name() -> None:
    made = starter([offer("a", "m"), offer("b", "m", "a/m")], None)
    assert names(made) == {"a": {"m": "m", "a/m": "m"}, "b": {"b/m": "m", "b/a/m": "a/m"}}


def test_what_no_resource_can_carry_is_left_out_and_said() -> None:
    odd = ("star*", " blank", "control\x07", "x" * 129, "hidden\u200b")
    (made,) = starter([offer("a", "good", *odd)], None).catalogues
    assert [entry.name for entry in made.entries] == ["good"]
    assert made.left_out == odd


def test_more_models_than_a_provider_holds_are_left_out_and_said() -> None:
    models = tuple(f"m{number}" for number in range(MOST_MODELS + 3))
    (made,) = starter([offer("a", *models)], None).catalogues
    assert len(made.entries) == MOST_MODELS
    assert made.left_out == models[MOST_MODELS:]


def test_nothing_that_fits_is_no_catalogue() -> None:
    made = starter([offer("a", "*"), offer("b", "m")], None)
    assert [one.source.name for one in made.catalogues] == ["b"]
    assert [(one.source.name, one.left_out) for one in made.unserved] == [("a", ("*",))]


def claude(*models: str) -> Offer:
    return Offer(source=replace(source("anthropic"), protocol=Protocol.ANTHROPIC), models=models)


@pytest.mark.parametrize("model", ["text-embedding-3-small", "voyage-3", "baai/bge-m3", "nomic-embed-text"])
def test_an_api_of_messages_serves_all_but_the_models_of_vectors(tmp_path: Path, model: str) -> None:
    made = starter([claude("gpt-4o-mini", model), offer("openai", model)], None)
    assert names(made) == {
        "anthropic": {"gpt-4o-mini": "gpt-4o-mini"},
        "openai": {model: model, f"openai/{model}": model},
    }
    assert made.catalogues[0].without_vectors == (model,)
    _written(tmp_path, made, ANYBODY)
    release, _, _ = compile_offline((tmp_path / "resources",), tmp_path / "installation.yaml", {"KEY": "sk"})
    assert [report.problems for report in release.compiled.reports if report.problems] == []


def test_only_what_is_answered_counts() -> None:
    made = starter([offer("a", "m", "n"), offer("b", "o")], None)
    assert names(made.answered({"n"})) == {"a": {"n": "n"}}
    assert made.answered(frozenset()).catalogues == ()


def test_without_a_public_price_is_said_but_not_of_this_machine() -> None:
    made = starter(
        [offer("a", "priced", "mystery", "priced-by-the-minute"), offer("ollama", "llama", sought=True)], List()
    )
    assert made.unpriced == ("mystery", "priced-by-the-minute")


@pytest.mark.parametrize(
    ("models", "example"),
    [
        (("zz", "gpt-4o-mini"), "gpt-4o-mini"),
        (("whisper-1", "text-embedding-3", "zz"), "zz"),
        (("whisper-1", "text-embedding-3"), "whisper-1"),
        (("text-embedding-3",), "text-embedding-3"),
    ],
)
def test_an_example_asks_what_probably_answers(models: tuple[str, ...], example: str) -> None:
    assert starter([offer("a", *models)], None).example == example


ODD = (
    "yes",
    "null",
    "1e5",
    "llama3:8b",
    'quo"te',
    "comma, blank",
    "日本",
    "[1m]",
    "~x",
    "#x",
    "a: b",
    "- x",
    "\\",
    "'",
)


def _written(folder: Path, made: Starter, access: Access) -> None:
    for name, text in starter_files.files(made, access, listen="127.0.0.1:8101", made_by="by a test").items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize("prices", [List(), None], ids=["priced", "unpriced"])
@pytest.mark.parametrize("usd", [None, "5.00"], ids=["no budget", "a budget"])
def test_the_files_are_what_was_meant_and_nothing_is_wrong_with_them(
    tmp_path: Path, prices: List | None, usd: str | None
) -> None:
    offers = [
        offer("openai", "priced", "priced-tiered", "priced-embed", "priced-by-the-minute", "mystery", *ODD),
        offer("ollama", "priced", "llama", "nomic-embed-text", sought=True),
    ]
    made = starter(offers, prices)
    access = Access(consumer="me", keys={"apiKey": "${MY_KEY}"}, anonymous=usd is None, usd_per_day=usd)
    _written(tmp_path, made, access)
    environment = {"KEY": "sk-of-the-provider", "MY_KEY": "sk-of-mine"}
    release, installation, _ = compile_offline((tmp_path / "resources",), tmp_path / "installation.yaml", environment)
    assert release.inputs.diagnostics == ()
    assert [report.problems + report.warnings for report in release.compiled.reports if report.problems] == []
    assert installation.anonymous == ("Deny" if usd else "Allow")
    served = {name for names in names(made).values() for name in names}
    answers = [answer for route in release.compiled.gateways["local"].routes for answer in route.answers]
    assert {name for answer in answers for name in answer.names} == served


def _documents(folder: Path) -> list[dict]:  # type: ignore[type-arg]
    return [one for path in (folder / "resources").iterdir() for one in yaml.safe_load_all(path.read_text())]


def test_prices_and_windows_stand_as_the_list_has_them(tmp_path: Path) -> None:
    _written(tmp_path, starter([offer("openai", "priced", "priced-embed", "mystery")], List()), ANYBODY)
    (provider,) = [one for one in _documents(tmp_path) if one["kind"] == "ModelProvider"]
    assert provider["spec"]["models"] == [
        {
            "name": "priced",
            "usdPerMillionTokens": {"input": "0.15", "output": "0.60", "cachedInput": "0.075"},
            "contextWindow": 128_000,
        },
        {
            "name": "priced-embed",
            "type": "Embedding",
            "usdPerMillionTokens": {"input": "0.15", "cachedInput": "0.075"},
            "contextWindow": 128_000,
        },
        {"name": "mystery", "pricing": "Unknown"},
    ]
    assert "nobody publishes a price" in (tmp_path / "resources" / "providers.yaml").read_text()


@pytest.mark.parametrize(
    ("url", "allowed"),
    [("http://10.0.0.7:8000/v1", True), ("http://127.0.0.1:8000/v1", False), ("https://llm.example.com/v1", False)],
)
def test_a_base_url_without_tls_is_taken_at_its_word(tmp_path: Path, url: str, *, allowed: bool) -> None:
    named = Offer(source=Source(name="openai", base_url=url), models=("m",))
    _written(tmp_path, starter([named], None), ANYBODY)
    release, _, _ = compile_offline((tmp_path / "resources",), tmp_path / "installation.yaml", {})
    assert [report.problems for report in release.compiled.reports if report.problems] == []
    assert ("plainHTTP: Allow" in (tmp_path / "resources" / "providers.yaml").read_text()) is allowed
