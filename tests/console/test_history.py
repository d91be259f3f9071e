"""The last hour as the charts draw it, and the one line on top of the page."""

from fairlead.console import picture
from fairlead.console.history import KEPT, History, Point
from fairlead.console.picture import Picture
from fairlead.health.rehearsal import Span

BUSY = Span(seconds=5.0, requests=50, errors=5, first_bytes={100: 40, 200: 10}, nanodollars=10**9)


def test_each_chart_has_a_line_for_each_region_and_gaps_where_nothing_is_known() -> None:
    history = History()
    history.add(Point(at_s=1, spans={"us": BUSY}))
    history.add(Point(at_s=6, spans={"us": Span(seconds=5.0), "eu": BUSY}))
    drawn = history.charts()
    assert drawn["times"] == [1, 6]
    charts = {one["name"]: {line["region"]: line["values"] for line in one["lines"]} for one in drawn["charts"]}
    assert charts["requests"] == {"eu": [None, 10.0], "us": [10.0, 0.0]}
    assert charts["errors"]["us"] == [1.0, 0.0]
    assert charts["dollars"]["us"] == [720.0, 0.0]
    assert charts["firstByte"]["us"][1] is None


def test_an_hour_is_kept_and_no_more() -> None:
    history = History()
    for moment in range(KEPT + 10):
        history.add(Point(at_s=moment, spans={}))
    assert history.charts()["times"] == list(range(10, KEPT + 10))


def test_the_verdict_names_what_wants_a_look() -> None:
    endpoint = {
        "provider": "p",
        "endpoint": "e",
        "region": None,
        "state": "Down",
        "share": "0%",
        "since": None,
        "reason": "ServerError",
        "message": None,
        "used": True,
    }
    well, ill = picture.endpoints([endpoint, endpoint], [False, True])
    assert Picture(source="x", endpoints=[well]).is_well
    shown = Picture(source="x", endpoints=[well, ill], refusals=[{}], rollouts=[{"degraded": True}])
    assert shown.verdict == "1 of 2 endpoints fail or have less traffic; 1 refused; 1 rollout went back"
    assert ill["why"] == "ServerError"


def test_who_serves_a_region_is_the_first_rung() -> None:
    known = picture.endpoints(
        [
            {
                "provider": "p",
                "endpoint": "eu",
                "region": "eu",
                "state": "Healthy",
                "share": "100%",
                "since": None,
                "reason": None,
                "message": None,
                "used": True,
            }
        ],
        [False],
    )
    ladder = {
        "names": "chat",
        "further": 0,
        "weight": "100%",
        "last": "p/eu/m",
        "rungs": picture.rungs(["p/eu/m"], known),
    }
    (one,) = picture.serving("us", [("t/chat", "us", ladder), ("t/chat", "eu", ladder)])
    (answer,) = one["answers"]
    assert (one["route"], answer["target"], answer["region"], answer["here"]) == ("t/chat", "p/eu/m", "eu", False)


def test_a_target_that_envoy_left_out_is_ejected() -> None:
    (one,) = picture.rungs(["p/eu/m"], [], frozenset({"p/eu/m"}))
    assert (one["state"], one["steady"]) == ("Ejected", False)
