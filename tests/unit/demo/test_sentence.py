"""Sentences that a Markov chain cannot say are refused; what the model says, the inference server's test hears."""

from pathlib import Path

import pytest

from fairlead.demo.sentence import write_model


@pytest.mark.parametrize("sentence", ["", "no word no twice", " ".join(map(str, range(62)))])
def test_refuses(tmp_path: Path, sentence: str) -> None:
    with pytest.raises(ValueError, match="all different"):
        write_model(tmp_path / "x.gguf", sentence)


def test_writes_a_small_file(tmp_path: Path) -> None:
    write_model(tmp_path / "x.gguf", "Hello .")
    assert 1_000_000 < (tmp_path / "x.gguf").stat().st_size < 5_000_000
