import json
from pathlib import Path
from typing import Any

from command_line import run, write

from builders import endpoint, manifest, model, provider, target

PRICED = {"usdPerMillionTokens": {"input": "1.25", "output": "10"}, "maxOutputTokens": 1000}
RULES = [{"name": "code", "when": {"lastUserContains": ["SQL"]}, "route": "large"}]


def route(name: str, primary: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return manifest("ModelRoute", name, "fairlead", {"primary": primary, **spec})


def world(files: Path, **spec: Any) -> Path:
    write(
        files / "m" / "all.yaml",
        provider(
            "p",
            endpoints=[endpoint("us", "us-east-1"), endpoint("eu", "eu-west-1")],
            models=[model("small"), model("large", **PRICED)],
        ),
        route("chat", target("p", "small"), rules=RULES),
        route("large", target("p", "large"), **spec),
        route("all", target("p"), modelNames=["*"], rules=RULES),
    )
    return files / "m"


def explained(files: Path, text: str, *options: str, body: dict[str, Any] | None = None, **spec: Any) -> Any:
    request = files / "body.json"
    request.write_text(json.dumps({"model": "small", "messages": [{"role": "user", "content": text}], **(body or {})}))
    config = files / "fairlead.yaml"
    return run("explain", "-f", world(files, **spec), "-c", config, "--body", request, *options)


def test_it_says_rule_ladder_and_price(files: Path) -> None:
    result = explained(files, "Some sql?", "--route", "fairlead/chat", body={"max_tokens": 100})
    assert result.exit_code == 0
    size = len((files / "body.json").read_bytes())
    most = f"{size * 1250 + 100 * 10_000:09}".rstrip("0")
    assert result.output.splitlines() == [
        "request: images no, tools no, json no, promptTokens 2, maxOutputTokens 100",
        "",
        f"us-east-1: rule code, answered by fairlead/large, at most $0.{most}",
        "  1. p/us/large  $1.25 in, $10.00 out for a million tokens",
        "  2. p/eu/large  $1.25 in, $10.00 out for a million tokens",
        "",
        f"eu-west-1: rule code, answered by fairlead/large, at most $0.{most}",
        "  1. p/eu/large  $1.25 in, $10.00 out for a million tokens",
        "  2. p/us/large  $1.25 in, $10.00 out for a million tokens",
    ]


SORTED = [
    {"name": "first", "when": {"tools": True}, "route": "large"},
    {"name": "code", "when": {"category": "code"}, "route": "large"},
]
CLASSIFIER = {
    "service": {"name": "sorter", "port": 80, "path": "/sort"},
    "categories": {"code": "programs", "prose": "x"},
}


def sorted_by(files: Path, *options: str, text: str = "Some sql?", **body: Any) -> Any:
    route_of = route("sorted", target("p", "small"), rules=SORTED, classifier=CLASSIFIER)
    write(files / "m" / "sorted.yaml", route_of)
    return explained(files, text, "--route", "sorted", *options, body=body)


def test_a_category_is_asked_for_and_can_be_said(files: Path) -> None:
    asked = sorted_by(files).output.splitlines()
    assert asked[2] == "sorter:80/sort is asked for its category; without one (`--category NAME` says one):"
    assert asked[3].startswith("us-east-1: rule none, answered by fairlead/sorted, ")
    said = sorted_by(files, "--category", "code").output.splitlines()
    assert said[2] == "sorter:80/sort is asked for its category, and says code"
    assert said[3].startswith("us-east-1: rule code, answered by fairlead/large, ")
    other = json.loads(sorted_by(files, "--category", "prose", "-o", "json").output)["regions"][0]
    assert (other["rule"], other["classifier"], other["category"]) == ("none", "sorter:80/sort", "prose")
    for body in ({"tools": [{"type": "function"}]}, {"messages": []}):
        nobody = json.loads(sorted_by(files, "--category", "code", "-o", "json", **body).output)["regions"][0]
        assert (nobody["classifier"], nobody["category"]) == (None, None)
        assert nobody["rule"] == ("first" if "tools" in body else "none")
    wrong = sorted_by(files, "--category", "poems")
    assert (wrong.exit_code, "want one of its categories (code, prose)" in wrong.output) == (2, True)
    plain = explained(files, "hi", "--route", "chat", "--category", "code")
    assert (plain.exit_code, "none: the route has no classifier" in plain.output) == (2, True)


def test_a_cascade_says_whose_answers_are_judged_and_what_all_can_cost(files: Path) -> None:
    fields: dict[str, Any] = {"fallbacks": [target("p", "small")], "cascade": {}, "regions": ["us-east-1"]}
    result = explained(files, "hi", "--route", "large", body={"max_tokens": 100}, **fields)
    size = len((files / "body.json").read_bytes())
    dear, cheap = size * 1250 + 100 * 10_000, size * 1000 + 100 * 2000
    assert result.output.splitlines()[2:] == [
        f"us-east-1: rule none, answered by fairlead/large, at most $0.{dear + cheap:09}".rstrip("0"),
        "  1. p/us/large  $1.25 in, $10.00 out for a million tokens, judged",
        "  2. p/eu/large  $1.25 in, $10.00 out for a million tokens, judged",
        "  3. p/us/small  $1.00 in, $2.00 out for a million tokens",
        "  4. p/eu/small  $1.00 in, $2.00 out for a million tokens",
    ]
    streamed = explained(files, "hi", "--route", "large", body={"max_tokens": 100, "stream": True}, **fields)
    assert "judged" not in streamed.output


def test_a_rule_is_skipped_where_its_route_takes_no_requests(files: Path) -> None:
    result = explained(files, "SQL", "--route", "chat", "-o", "json", regions=["us-east-1"])
    regions = {one["region"]: one for one in json.loads(result.output)["regions"]}
    assert {name: (one["rule"], one["route"]) for name, one in regions.items()} == {
        "us-east-1": ("code", "fairlead/large"),
        "eu-west-1": ("none", "fairlead/chat"),
    }
    (ladder,) = regions["us-east-1"]["ladders"]
    assert (ladder["side"], ladder["share"]) == ("stable", "100%")
    assert ladder["rungs"][0] == {
        "target": "p/us/large",
        "usdPerMillionTokens": {"input": "1.25", "output": "10.00"},
    }


def test_a_catalogue_answers_by_the_bodys_model(files: Path) -> None:
    assert "rule none, answered by fairlead/all" in explained(files, "hi", "--route", "all").output
    gone = explained(files, "hi", "--route", "all", body={"model": "gone"})
    assert (gone.exit_code, gone.output.splitlines()[-1]) == (1, "fairlead/all: no region takes this request")


def test_what_a_gateway_refuses_is_said(files: Path) -> None:
    (files / "body.json").write_text('{"model":"chat","messages":[{"role":"user","role":"user","content":"a"}]}')
    result = run("explain", "-f", world(files), "--route", "chat", "--body", files / "body.json")
    assert (result.exit_code, result.output) == (1, "refused: 400 invalid_json\n")


def test_an_unknown_route_is_a_mistake(files: Path) -> None:
    result = explained(files, "hi", "--route", "team/chat")
    assert result.exit_code == 2
    assert "want a route that serves (fairlead/all, fairlead/chat, fairlead/large)" in result.output


def test_a_rung_says_in_which_words_it_is_asked_and_whether_at_all(files: Path) -> None:
    anthropic = {
        "protocol": "Anthropic",
        "endpoints": [endpoint("api", "us-east-1")],
        "models": [model("m"), model("n")],
    }
    write(
        files / "m" / "more.yaml",
        provider("claude", chatCompletions="Translate", **anthropic),
        provider("apart", **anthropic),
        provider("gpt", messages="Translate", endpoints=[endpoint("api", "us-east-1")], models=[model("o")]),
        route(
            "mixed",
            target("claude", "m"),
            fallbacks=[target("apart", "n"), target("gpt", "o")],
            cascade={"accept": {"refusal": "Escalate"}},
        ),
    )
    said = {
        "/v1/chat/completions": [", in the words of messages", ", passed over: it takes no such requests", ""],
        "/v1/messages": ["", "", ", in the words of chat/completions"],
        "/v1/responses": [*[", passed over: it takes no such requests"] * 2, ""],
    }
    for path, notes in said.items():
        asked = ("--route", "fairlead/mixed", "--path", path)
        output = explained(files, "hi", *asked, body={"input": "hi"}).output
        found = [line.partition("for a million tokens")[2] for line in output.splitlines() if line.startswith("  ")]
        assert found[:3] == notes, output
    document = json.loads(explained(files, "hi", "--route", "fairlead/mixed", "-o", "json").output)
    first, second, last = document["regions"][0]["ladders"][0]["rungs"]
    assert (first["words"], second["passedOver"]) == ("messages", True)
    assert not {"words", "passedOver", "judged"} & set(last)


def test_long_prompts_have_their_price(files: Path) -> None:
    longer = {"aboveTokens": 200_000, "input": "6.00"}
    priced = model("reader", usdPerMillionTokens={"input": "3.00", "output": "15.00", "longPrompts": longer})
    more = provider("q", endpoints=[endpoint("us", "us-east-1")], models=[priced])
    write(files / "m" / "more.yaml", more, route("long", target("q", "reader")))
    asked = ("--route", "fairlead/long")
    said = "$3.00 in, $15.00 out ($6.00 and $15.00 where the prompt has more than 200,000) for a million tokens"
    assert said in explained(files, "hi", *asked).output
    document = json.loads(explained(files, "hi", *asked, "-o", "json").output)
    (rung,) = document["regions"][0]["ladders"][0]["rungs"]
    assert rung["usdPerMillionTokens"]["longPrompts"] == {"aboveTokens": 200_000, "input": "6.00", "output": "15.00"}


def test_a_route_whose_models_make_no_text_is_refused(files: Path) -> None:
    picture = {"name": "picture", "type": "Image", "usdPerImage": "0.04"}
    more = provider("q", endpoints=[endpoint("us", "us-east-1")], models=[picture])
    write(files / "m" / "more.yaml", more, route("pictures", target("q", "picture")))
    result = explained(files, "a boat", "--route", "fairlead/pictures")
    assert result.exit_code == 2
    assert "got `fairlead/pictures` of `Image` models, want a route of `Chat` or `Embedding` models" in result.output
