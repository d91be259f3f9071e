"""The request filter of a gateway: Lua's source for `envoy.filters.http.lua`, and what it promises.

It runs once per request, after api_key_auth and before everything that needs to know the model (ratelimit, router).

**It needs**
- `x-fl-*` and `x-envoy-*` stripped, and `names.ROUTE_HEADER` set to `names.NO_ROUTE`, before the first route is picked;
- `names.ENCODING_HEADER` set to the client's `content-encoding`, gzip and zstd taken off the body before, and dynamic
  metadata `encoded` of what was looked at before that (`lua/encoded.lua`);
- `names.CONSUMER_HEADER`, forwarded by api_key_auth; without it, or without its entry: 401;
- the directory (`directory.render`) as metadata `names.DIRECTORY_NAMESPACE` of the catch-all route of virtual host `*`,
  and `names.VERSION_KEY` of that virtual host's metadata there, which differs when the directory does;
- `stream_error_on_invalid_http_message: true` on the connection manager. Otherwise Envoy closes an HTTP/1 connection
  after each 400, also after ours (messages that really are malformed close it in any case);
- `not_answered()` beside the status in each mapper of `local_reply_config` that replaces bodies: to Envoy, an answer of
  this filter is a local reply like its own.

**It sets**, for a request that goes on
- header `names.ROUTE_HEADER` = the route's name, then the route is picked anew;
- for a plan that is picked by a key: `names.ladder_header(0)`, ... = the cluster of each arm's ladder, and, with more
  than one arm, `names.ARMS_HEADER` = `directory.shape`;
- where the directory has `directory.STICKY`: header `names.BUCKET_HEADER`, by a hash of the consumer's name;
- dynamic metadata `names.METADATA_NAMESPACE`: `consumer`, `model` (as a word: `ir.word`), `stream` (bool) and `way`,
  all that each attempt needs: `<wire id in the body> <last resort's wire id> <last resort's target> <bytes of the body>
  <path, without its query>`;
- for a route with rules, dynamic metadata `ruled`, its name, and `rule`, the name of the one that applies, or `none`
  (also where the header `names.RULE_HEADER` says `none`). Where one applies, the request goes on as one for the route
  that it leads to, whose cap holds, and dynamic metadata `asked` is the route that was asked;
- where a rule needs a category, dynamic metadata `category`, what the route's classifier says or `none`, and
  `classified`, how that was found or why there is none. The request waits for the classifier, once and no longer than
  its timeout, and is then read anew: other requests have run on this worker (`fairlead.envoy.classifiers`);
- dynamic metadata `unasked` (bool), in streams that are made to report their usage though the client did not ask;
- `anthropic-version`, where a client of Anthropic's paths names none;
- with budgets (the directory has `directory.BUDGETS`), dynamic metadata `ask`: `<output limit> <answers>`, the largest
  of the members that limit the output (`-` where there is none), and the largest of `n`, `best_of` and `n_cmpl` times
  the prompts in `prompt` and `prompt_embeds`. Where a budget counts this caller's spending on this route, these members
  must be whole numbers, at least 1 (else 400): what one server reads as a number and another does not, or as none,
  would be a way around the budget. Elsewhere what is no such number counts as absent. In place of the limit stands
  what is asked for by other units than tokens: `i<images>`, `c<characters>` that are spoken, `q<documents>`, and of a
  form `s<bytes of files>` of audio, or `i<images>`, with `.<the most tokens that can go in>`, as documents have that
  share a query. Where a budget counts, `input` of speech must be a string and `documents` an array (else 400);
  A count of tokens costs nothing, and has `0 free`;
- with budgets, too, dynamic metadata `names.CHECK_NAMESPACE`: the words of the check (`descriptor.CHECK`), for a
  request that a policy counts on its route, or on one that led there, for a caller with a limit in flight, and for all
  where nobody may pass without an answer. Any other has room without asking: metadata of `names.RATE_LIMIT_FILTER` says
  what the budget server would. So has one that takes a unit of a lease: `names.RESERVATION_KEY` is the unit's name, and
  `names.REMAINING_KEY` what its answer says to be left. Who asks for a lease, what it covers, and what is given back
  stands in `lua/request/leases.lua`; a lease is learned from the answer's metadata `names.LEASE_KEY`;
- for messages and chat/completions on a plan with rungs that want other words: dynamic metadata `names.WORDS_NAMESPACE`
  with those words, `left_out`, or `unsaid`, see `fairlead.envoy.words`;
- `content-length`, the bytes that were read, for a body that came without;
- the body: `{"model":"<wire id>"` comes first, in these very bytes and with no quote inside the id, so that the
  upstream filter can swap the id without parsing. All other members keep their bytes and their order, except for these
  values:
  - `stream_options`, in streams of /v1/chat/completions and /v1/completions: `include_usage` is made true, other
    options stay;
  - `max_tokens`, `max_completion_tokens`, `max_output_tokens` and llama.cpp's `n_predict`, on a route with
    `maxOutputTokens`: a larger one is lowered to it, and where none of the endpoint's own is given (null is as good as
    absent) the endpoint's own is added: `max_completion_tokens` for chat, `max_tokens` for completions and messages,
    `max_output_tokens` for responses, none for embeddings. Anything but a whole number from 1 on is refused there with
    400 (`1e9`, `2.5`, `"100000"`, `-1`, and 0, which servers take for no limit): replacing it would guess what was
    meant. Without `maxOutputTokens` these members are not looked at.

**It answers** by itself, in OpenAI's shape (Anthropic's at /v1/messages, and to `anthropic-version`), with dynamic
metadata `error` = the code
- POST /v1/feedback, where the directory has `directory.FEEDBACK`, with what the budget server says: of any caller whose
  key is good, with and without a budget;
- GET /v1/models and /v1/models/{id}: what the caller may use; scopes shadow each other as in routing;
- 403 `origin_not_allowed` for a page in a browser that brings no key, where callers without one may come but pages of
  its origin may not (`names.ORIGIN_KEY` is not there);
- 401 `invalid_api_key`, `expired_api_key`; 429 `insufficient_quota` for a consumer that is stopped: before the body is
  read, since the key alone decides it;
- 429 `insufficient_quota` for a consumer of whom the budget server has said (`names.CLOSED_KEY` of a check's answer,
  which this filter reads on its way back) that nothing fits any more: on all routes, on one, or nothing that is at
  least as large as the request that was refused. It holds until the moment that the server named, for the directory's
  revision of the consumer's policies. Each worker remembers by itself; an LDS change forgets. Every ten seconds one
  such request is asked about all the same, with its refusal as dynamic metadata `closed`. A smaller one of a consumer
  whose budget is at its end, by such a verdict or the directory, has its refusal as `short`, for when nobody answers;
- 404 `unknown_url` (any other method or path), `model_not_found` (unknown, refused here, or not among the caller's
  `allowedModelNames`), `unsupported_endpoint` (embeddings asked of a chat model, and the like; a path that no rung
  of the model speaks: `directory`'s dialects; what a provider keeps at an account, such as files and batches);
- 400 `invalid_json` (empty, not one JSON object of RFC 8259 in UTF-8, deeper than 128, more than 100,000 members,
  100,000 objects and arrays or 1,000 members of its own, a member that is read given twice, or given in a disguise that
  some servers accept: escapes in the key, other case, `maxTokens`), `missing_model`, `invalid_model`, `invalid_stream`,
  `invalid_stream_options`, `invalid_number` (more than 15 digits), `invalid_max_tokens`, `invalid_n` (also for more
  than 10,000 prompts), `invalid_type` (what a budget counts by is of another type), `invalid_rule` (the route has
  rules, and `names.RULE_HEADER` says anything but `none`), `unsupported_parameter` (what names something
  that is kept at the provider's account, anywhere in the body; what chooses a model or a provider there; and, where a
  budget counts this caller's spending on this route, what costs by another price:
  `lua/request/references.lua`, `refusals.lua`);
- 404 `previous_response_not_found`, 400 or 503 `previous_response_unavailable`: of what goes on from an answer, see
  `fairlead.envoy.response_ids`; what can is sent to the last resort of one endpoint, with dynamic metadata
  `names.PINNED_KEY` and `names.PREVIOUS_KEY`;
- 400 `invalid_json`, too, on a route with rules, where a member that they look at is given twice or in a disguise, in
  the body, a message or a part; `invalid_max_tokens`, where a rule asks for a limit that is no whole number from 1 on;
- 413 `request_too_large`, 503 `feedback_unavailable`: of /v1/feedback;
- 400 `invalid_form` (a form that servers could read in two ways: `lua/request/form.lua`);
- 415 `unsupported_media_type` (a content type other than application/json, a charset other than UTF-8),
  `unsupported_encoding` (a content encoding other than gzip and zstd, or several);
- 400 `invalid_encoding` (a body that is not in its encoding, or no JSON inside);
- 500 `internal_error`: Lua failed. Envoy alone would forward the request.

**It reads** every byte of the body as RFC 8259 has it, also in values that nobody looks at: what lenient parsers take
for JSON (comments, other quotes, escapes of their own, NaN, controls, bytes that are no UTF-8) could be another model
to one of them. `content-type` is set to what was read.

**It does not** check what values mean: a provider refuses that with words of its own. Nothing is ever repaired.
"""

from typing import Any

from fairlead.envoy import chunk, names, response_ids, words
from fairlead.ir import fold

PARTS = (
    *("names", "said", "answers", "members", "references", "scan", "media", "edits", "units", "limits", "refusals"),
    *("directory", "previous", "leases", "checks", "rules", "models", "verdicts", "feedback", "form", "decide"),
)
"""The files of `lua/request/`, in the order in which they are joined: each sees the locals of those before it."""
PROMPT_PARTS = ("prompt", "literals", "category")
"""Those that stand inside `rules.lua`, in a function of their own."""


def source(*, checked: bool = True) -> str:
    """Read the Lua source, one chunk of all parts: code, not input. `checked`: somebody is asked about budgets."""
    pairs = fold.pairs()
    source = words.of_requests(chunk.joined("request", PARTS))
    source = source.replace("@checked@", "1" if checked else "")
    source = source.replace("@prompt@", chunk.parts("request", PROMPT_PARTS))
    source = source.replace("@signed@", chunk.parts("response_ids", response_ids.IDS))
    return source.replace("@letters@", "".join(pairs)).replace("@folded@", "".join(pairs.values()))


def not_answered() -> dict[str, Any]:
    """Make an access log filter that is true unless this filter answered with an error.

    The key is asked for rather than its value: Envoy 1.40 takes `present_match` with `invert` as true in any case.
    """
    matcher = {"filter": names.METADATA_NAMESPACE, "path": [{"key": names.ERROR_KEY}], "value": {"null_match": {}}}
    return {"metadata_filter": {"matcher": matcher, "match_if_key_not_found": True}}
