"""What `make e2e-regions` says of a fault, from answers."""

from regions.load import ANYWHERE, Answer
from regions.outcome import outcome

HERE, ELSEWHERE = "eu-west-1", "us-east-1"


def _answers(at_s: float, count: int, *, region: str = HERE, by: str = HERE) -> list[Answer]:
    return [
        Answer(
            region=region,
            name=ANYWHERE,
            stream=False,
            began_s=at_s + number / count,
            took_s=0.1,
            status=200,
            by=by,
            attempts=1,
        )
        for number in range(count)
    ]


def _busiest(*answers: list[Answer]) -> float:
    everything = [one for some in (*(_answers(at_s, 32) for at_s in range(4)), *answers) for one in some]
    return outcome(everything, region=HERE, began_s=4, ended_s=8, grace_s=1, shares=[], seen_outside=0).busiest


def test_it_comes_back_as_it_was() -> None:
    assert _busiest(*(_answers(at_s, 32) for at_s in range(8, 12))) == 1


def test_clients_that_ask_late_and_at_once_are_no_rush() -> None:
    assert _busiest(_answers(8, 96)) == 1


def test_others_that_come_along_are() -> None:
    assert _busiest(_answers(8, 32), _answers(8, 64, region=ELSEWHERE)) == 3
