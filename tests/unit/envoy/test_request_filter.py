import re

import pytest

from fairlead.budgetserver.descriptor import NOTHING_RESERVED
from fairlead.envoy import classifiers, names, request_filter
from fairlead.ir import ModelKind

SOURCE = request_filter.source()


@pytest.mark.parametrize(
    "name",
    [
        names.ROUTE_HEADER,
        names.CONSUMER_HEADER,
        names.ARMS_HEADER,
        names.ENCODING_HEADER,
        names.LADDER_HEADER_PREFIX,
        names.METADATA_NAMESPACE,
        names.CONSUMER_KEY,
        names.MODEL_KEY,
        names.STREAM_KEY,
        names.WAY_KEY,
        names.ERROR_KEY,
        names.CATEGORY_KEY,
        names.CLASSIFIED_KEY,
        names.CHECK_NAMESPACE,
        names.CHECK_KEY,
        names.RATE_LIMIT_FILTER,
        names.RESERVATION_KEY,
        NOTHING_RESERVED,
        names.CLASSIFIER_CLUSTER,
        names.SERVICE_CLUSTER,
        *classifiers.CARRIED,
        *ModelKind,
    ],
)
def test_lua_spells_the_name_alike(name: str) -> None:
    assert f'"{name}"' in SOURCE


def test_lua_uses_no_other_internal_header() -> None:
    known = {names.ROUTE_HEADER, names.CONSUMER_HEADER, names.ARMS_HEADER, names.LADDER_HEADER_PREFIX}
    known |= {names.ENCODING_HEADER, names.BUCKET_HEADER, names.HOP_HEADER, *classifiers.CARRIED}
    assert set(re.findall(rf'"({names.HEADER_PREFIX}[^"]*)"', SOURCE)) == known


@pytest.mark.parametrize("code", sorted(set(re.findall(r'refusal\("\d+", "(\w+)"', SOURCE)) | {"internal_error"}))
def test_every_error_code_is_documented(code: str) -> None:
    assert f"`{code}`" in (request_filter.__doc__ or "")
