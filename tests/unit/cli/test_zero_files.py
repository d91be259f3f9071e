"""What is said of what nobody answers."""

import ast
import json
import shlex
from pathlib import Path

import pytest
from structlog.testing import CapturingLogger

from fairlead.cli import greeting, zero_files
from fairlead.cli.zero_files import Found, Served
from fairlead.standalone.starter import Offer, Source, starter
from fairlead.standalone.state import StateFolder
from fairlead.translate.suggestion import listed, meant

BASE_URL = "http://127.0.0.1:8101/v1"


def served(*models: str) -> Served:
    offer = Offer(source=Source(name="openai", base_url="https://llm.example.com/v1"), models=models)
    found = Found(starter=starter([offer], None), warnings=())
    return Served(found=found, config=Path("c"), manifests=Path("m"), base_url=BASE_URL)


def greeted(one: Served, *names: str, plain: bool) -> CapturingLogger:
    log = CapturingLogger()
    zero_files.greet(one, log, frozenset(names), folder=StateFolder(root=Path(".fairlead")), plain=plain)
    return log


@pytest.mark.parametrize("plain", [True, False])
def test_nobody_is_sent_to_what_is_not_answered(plain: bool, capsys: pytest.CaptureFixture[str]) -> None:
    log = greeted(served("a", "b"), plain=plain)
    assert [call.method_name for call in log.calls] == ["error"]
    assert "no model is served" in log.calls[0].kwargs["what"]
    assert capsys.readouterr().out == ""


def test_the_page_counts_and_asks_what_is_answered(capsys: pytest.CaptureFixture[str]) -> None:
    greeted(served("gpt-4o-mini", "b"), "b", plain=True)
    said = capsys.readouterr().out
    assert f"1 model of openai at {BASE_URL}" in said
    assert '"model": "b"' in said


ODD = ("a'b", 'a"b', "x'; touch y; '", "$(touch y)", "`touch y`", "a\\\\", "ünï", "${KEY}", "{{x}}")


@pytest.mark.parametrize("model", ODD)
def test_a_name_is_a_name_wherever_it_is_pasted(model: str) -> None:
    found = served(model).found.starter
    words = shlex.split(greeting.curl(BASE_URL, found).replace("\\\n", ""))
    assert json.loads(words[words.index("-d") + 1])["model"] == model
    assert len(words) == 6
    texts = [
        one.value for one in ast.walk(ast.parse(greeting.python(BASE_URL, found))) if isinstance(one, ast.Constant)
    ]
    assert model in texts


@pytest.mark.parametrize("name", ["two\nlines", "\x1b[31mred", "nul\0", "a\rb", "x" * 300])
def test_what_a_provider_lists_steers_no_terminal(name: str) -> None:
    for said in (greeting.some([name]), listed([name]), meant(name, [name])):
        assert said.isprintable()
        assert len(said) < 130


def test_a_model_of_two_names_is_one() -> None:
    offers = [Offer(source=Source(name=name, base_url="https://x.example.com/v1"), models=("m",)) for name in "ab"]
    assert greeting.served(starter(offers, None)) == "1 model of a, 1 of b"
