"""Filters that some requests pass by: which, a header says.

Envoy decides it before the filter is made for a request, so one that passes by costs next to nothing.
"""

from fairlead.envoy.protobuf import Json, extension


def only(name: str, filter_: Json, header: str, value: Json, *, label: str) -> Json:
    """Make a filter of requests whose header matches `value`, a `StringMatcher`; `label` names what is read."""
    return _matching(name, filter_, {"not_matcher": {"single_predicate": _header(header, value, label)}})


def others(name: str, filter_: Json, header: str, value: Json, *, label: str) -> Json:
    """Make a filter of requests whose header does not match, or is absent."""
    return _matching(name, filter_, {"single_predicate": _header(header, value, label)})


def _header(header: str, value: Json, label: str) -> Json:
    read = extension(label, "envoy.type.matcher.v3.HttpRequestHeaderMatchInput", {"header_name": header})
    return {"input": read, "value_match": value}


def _matching(name: str, filter_: Json, passes: Json) -> Json:
    skip = extension("skip", "envoy.extensions.filters.common.matcher.action.v3.SkipFilter")
    matchers = [{"predicate": passes, "on_match": {"action": skip}}]
    return extension(
        name,
        "envoy.extensions.common.matching.v3.ExtensionWithMatcher",
        {"extension_config": filter_, "xds_matcher": {"matcher_list": {"matchers": matchers}}},
    )


def pattern(regex: str) -> Json:
    """Match what a regular expression of RE2 matches as a whole."""
    return {"safe_regex": {"google_re2": {}, "regex": regex}}
