"""Prometheus' text format: what is asked for, and nothing that is none."""

import pytest

from fairlead.adapters.exposition import Sample, samples


@pytest.mark.parametrize(
    ("line", "found"),
    [
        pytest.param("a 1", [Sample(name="a", labels={}, value=1)], id="no labels"),
        pytest.param("a{} 1.5e+03", [Sample(name="a", labels={}, value=1500)], id="an exponent"),
        pytest.param(
            'a{x="\\"q\\"\\n",y="}"} 2', [Sample(name="a", labels={"x": '"q"\n', "y": "}"}, value=2)], id="escapes"
        ),
        pytest.param('a{x="\u2028"} 2', [Sample(name="a", labels={"x": "\u2028"}, value=2)], id="another line break"),
        pytest.param("other 1", [], id="another name"),
        pytest.param("# TYPE a counter", [], id="a comment"),
        pytest.param("a NaN", [], id="no number"),
        pytest.param("a 1e999", [], id="more than a counter holds"),
        pytest.param("a..1 1", [], id="garbage"),
    ],
)
def test_a_line(line: str, found: list[Sample]) -> None:
    assert list(samples(f"b 1\n{line}\nb 2\n", {"a"})) == found
