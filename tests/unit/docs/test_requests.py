"""The table of docs/requests.md is the table that gateways and judges read."""

from pathlib import Path

from fairlead import statuses
from fairlead.envoy import errors

PAGE = Path(__file__).parents[3] / "docs" / "requests.md"


def rows() -> list[str]:
    """Write the table's rows as the page has them."""
    head = "| the provider's answer | next rung | counts towards its ejection | `failing` says"
    made = [f"{head} | on the last rung the client gets |", "|---|---|---|---|---|"]
    for status, one in statuses.MEANINGS.items():
        last = f"502 `{errors.PROVIDER_REFUSED[status].code}`" if one.told else f"the {status} as it is"
        made.append(f"| {status}: {one.why} | yes | {'yes' if one.ejects else 'no'} | `{one.failure}` | {last} |")
    return made


def test_every_status_stands_in_the_table_with_what_becomes_of_it() -> None:
    text = PAGE.read_text()
    table = text[text.index("<!-- statuses -->\n") :].splitlines()[1 : len(rows()) + 1]
    assert table == rows()
