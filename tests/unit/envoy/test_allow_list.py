"""The expression of all other names matches exactly the names that are not allowed."""

import re

from hypothesis import given
from hypothesis import strategies as st

from fairlead.envoy import allow_list
from fairlead.envoy.allow_list import all_but

NAMES = st.text(alphabet="ab-:", max_size=5)


@given(st.sets(NAMES, max_size=6), st.sets(NAMES.filter(bool), max_size=3), NAMES.filter(bool))
def test_it_matches_what_is_neither_allowed_nor_of_a_family(allowed: set[str], families: set[str], name: str) -> None:
    kept = name in allowed or name.startswith(tuple(families))
    assert (re.fullmatch(all_but(allowed, families), name) is None) is kept


def test_what_no_provider_and_no_client_gets() -> None:
    out = all_but(allow_list.TO_PROVIDERS, allow_list.FAMILIES_TO_PROVIDERS)
    back = all_but(allow_list.TO_CLIENTS, allow_list.FAMILIES_TO_CLIENTS)
    for name in (
        "authorization",
        "cookie",
        "x-api-key",
        "x-envoy-retry-on",
        "x-fl-consumer",
        "content-types",
        "openai",
        "openai-organization",
    ):
        assert re.fullmatch(out, name), name
    for name in (
        "set-cookie",
        "location",
        "x-envoy-ratelimited",
        "x-fairlead-route",
        "x-ratelimit-limit",
        "openai-project",
    ):
        assert re.fullmatch(back, name), name
    for name in (":path", "content-type", "openai-beta", "x-request-id"):
        assert not re.fullmatch(out, name), name
