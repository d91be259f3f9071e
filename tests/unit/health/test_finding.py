"""What real traffic says of an endpoint as a whole."""

from typing import Any

import pytest

from fairlead.health.finding import Finding, Kind, finding
from fairlead.health.window import Attempts
from fairlead.statuses import Failure

WELL, BROKEN, REFUSED, LIMITED, WRONG_KEY = "", "500 -", "0 UF", "429 -", "401 -"


def of(places: dict[str, tuple[int, int, str]], **fields: Any) -> Finding:
    """Judge `<region> <model>`: how many went well, how many failed, and how."""
    counted = {
        f"{place.split()[0]} p/e/{place.split()[1]}": Attempts(well=well, failed={word: failed} if failed else {})
        for place, (well, failed, word) in places.items()
    }
    plain: dict[str, Any] = {"models": 3, "ejected": (), "nameless": False, "slow": False, "suspected": False}
    return finding(counted, **{**plain, **fields})


@pytest.mark.parametrize(
    ("places", "fields", "kind"),
    [
        ({}, {}, Kind.SILENT),
        ({}, {"nameless": True}, Kind.DEAD),
        ({"us a": (9, 0, WELL)}, {}, Kind.FEW),
        ({"us a": (10, 0, WELL)}, {}, Kind.WELL),
        ({"us a": (30, 9, BROKEN)}, {"models": 1}, Kind.WELL),
        ({"us a": (30, 10, BROKEN)}, {"models": 1}, Kind.ERRORS),
        ({"us a": (14, 5, BROKEN)}, {"models": 1}, Kind.FEW),
        ({"us a": (0, 9, BROKEN)}, {"models": 1}, Kind.FAILING),
        ({"us a": (0, 10, BROKEN)}, {"models": 1}, Kind.DEAD),
        ({"us a": (0, 5, BROKEN)}, {"models": 1, "ejected": ["us p/e/a"]}, Kind.DEAD),
        ({"us a": (0, 5, BROKEN), "eu a": (0, 1, BROKEN)}, {"models": 1, "ejected": ["us p/e/a"]}, Kind.FAILING),
        ({"us a": (0, 50, LIMITED)}, {"models": 1}, Kind.ERRORS),
        ({"us a": (0, 5, LIMITED)}, {"models": 1}, Kind.FAILING),
        ({"us a": (50, 0, WELL)}, {"slow": True}, Kind.SLOW),
        ({"us a": (0, 50, BROKEN)}, {"models": 1, "slow": True}, Kind.DEAD),
    ],
)
def test_verdicts_need_enough(places: dict[str, Any], fields: dict[str, Any], kind: Kind) -> None:
    assert of(places, **fields).kind is kind


@pytest.mark.parametrize(
    ("places", "fields", "kind"),
    [
        # One model that fails is its target's matter, whatever its traffic, and whether or not others have any.
        ({"us a": (0, 500, BROKEN), "us b": (10, 0, WELL)}, {}, Kind.WELL),
        ({"us a": (0, 500, BROKEN), "us b": (2, 0, WELL)}, {}, Kind.FEW),
        ({"us a": (0, 500, BROKEN)}, {}, Kind.SILENT),
        ({"us a": (50, 50, BROKEN)}, {}, Kind.SILENT),
        # Unless it is all that the endpoint has, or another fails too, or the last probe did.
        ({"us a": (0, 500, BROKEN)}, {"models": 1}, Kind.DEAD),
        ({"us a": (0, 500, BROKEN)}, {"suspected": True}, Kind.DEAD),
        ({"us a": (0, 500, BROKEN), "us b": (0, 10, BROKEN)}, {}, Kind.DEAD),
        ({"us a": (30, 30, BROKEN), "us b": (30, 30, BROKEN), "us c": (30, 0, WELL)}, {}, Kind.ERRORS),
        ({"us a": (30, 30, BROKEN), "us b": (30, 0, WELL), "us c": (30, 0, WELL)}, {}, Kind.WELL),
        # Or the failure concerns every model.
        ({"us a": (0, 10, REFUSED)}, {}, Kind.DEAD),
        ({"us a": (0, 10, WRONG_KEY)}, {}, Kind.DEAD),
        ({"us a": (0, 10, "402 -")}, {}, Kind.DEAD),
        ({"us a": (0, 10, "403 -")}, {}, Kind.SILENT),
        ({"us a": (0, 10, "403 -"), "us b": (0, 10, "403 -")}, {}, Kind.DEAD),
        # A rate limit of one model is that model's; one of all models is the endpoint's brown-out.
        ({"us a": (0, 50, LIMITED), "us b": (50, 0, WELL)}, {}, Kind.WELL),
        ({"us a": (0, 50, LIMITED), "us b": (0, 50, LIMITED)}, {}, Kind.ERRORS),
    ],
)
def test_models_vote(places: dict[str, Any], fields: dict[str, Any], kind: Kind) -> None:
    assert of(places, **fields).kind is kind


@pytest.mark.parametrize(
    ("places", "kind"),
    [
        # One region that does not reach it is the path's matter.
        ({"ap a": (0, 100, REFUSED), "us a": (20, 0, WELL)}, Kind.FEW),
        ({"ap a": (0, 100, REFUSED), "us a": (100, 0, WELL), "eu a": (400, 0, WELL)}, Kind.WELL),
        ({"ap a": (60, 40, REFUSED), "us a": (60, 40, REFUSED), "eu a": (100, 0, WELL)}, Kind.ERRORS),
        ({"ap a": (0, 100, REFUSED)}, Kind.DEAD),
    ],
)
def test_regions_vote(places: dict[str, Any], kind: Kind) -> None:
    assert of(places, models=1).kind is kind


def test_a_finding_says_what_most_failures_were() -> None:
    found = of({"us a": (0, 11, "503 -"), "us b": (0, 20, REFUSED), "eu b": (0, 10, "503 -")})
    assert (found.kind, found.failure, found.status) == (Kind.DEAD, Failure.SERVER_ERROR, 503)
