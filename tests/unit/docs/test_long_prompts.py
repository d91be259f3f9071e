"""The figures of docs/money.md about long prompts are those of its example."""

import re
from pathlib import Path

import yaml

from builders import compiled, provider, route
from fairlead.budget.configuration import decode
from fairlead.budget.price import Tokens, cost, decimal

PAGE = (Path(__file__).parents[3] / "docs" / "money.md").read_text()
SECTION = PAGE.split("### Long prompts")[1].split("\n### ")[0]


def test_the_example_costs_what_the_page_says() -> None:
    (written,) = re.findall(r"```yaml\n(.*?)```", SECTION, re.DOTALL)
    made = compiled(
        provider("p", models=yaml.safe_load(written)["models"]),
        route("chat", primary={"provider": "p", "model": "reader"}),
    )
    (rung,) = decode(made.configuration).targets.values()
    found = re.search(r"costs \$([0-9.]+); with one token more in the prompt, \$([0-9.]+)\.", SECTION)
    assert found is not None
    costs = [decimal(cost(rung.price, Tokens(input=200_000 + more, output=2_000))) for more in (0, 1)]
    assert list(found.groups()) == costs
