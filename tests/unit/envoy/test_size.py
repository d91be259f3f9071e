from dataclasses import replace

import pytest

from fairlead import envoy
from fairlead.errors import TooLargeError
from fairlead.ir import ListenAddress

LAYOUT = envoy.Layout(
    xds_dir="/x",
    keys_dir="/k",
    credentials_dir="/c",
    listen=ListenAddress(address="127.0.0.1", port=1),
    metrics_listen=None,
    admin="/a",
    access_log="/dev/null",
    ca_file="/ca",
)


def test_a_file_at_the_limit_fits() -> None:
    envoy._check_size({"xds/cds.json": b" " * envoy.LIMIT_BYTES}, LAYOUT, region="eu")


def test_the_largest_file_is_named_with_what_to_do() -> None:
    files = {"xds/rds.json": b" " * (envoy.LIMIT_BYTES + 1), "xds/cds.json": b" " * (envoy.LIMIT_BYTES + 2)}
    with pytest.raises(
        TooLargeError, match=r"region `eu`: got `xds/cds.json` of 921602 bytes, want at most 921600, set"
    ):
        envoy._check_size(files, LAYOUT, region="eu")


def test_a_file_that_no_config_map_carries_may_be_larger() -> None:
    local = replace(LAYOUT, mounted=False)
    envoy._check_size({"xds/cds.json": b" " * (envoy.LIMIT_BYTES + 1)}, local, region="eu")
    with pytest.raises(TooLargeError) as refused:
        envoy._check_size({"xds/cds.json": b" " * (envoy.LOCAL_LIMIT_BYTES + 1)}, local, region="eu")
    assert "Gzip" not in str(refused.value), "no chart is in it"


def test_a_file_that_is_packed_may_be_larger() -> None:
    packed = replace(LAYOUT, packed=True)
    envoy._check_size({"xds/cds.json": b" " * envoy.PACKED_LIMIT_BYTES}, packed, region="eu")
    with pytest.raises(TooLargeError) as refused:
        envoy._check_size({"xds/cds.json": b" " * (envoy.PACKED_LIMIT_BYTES + 1)}, packed, region="eu")
    assert "Gzip" not in str(refused.value), "they are"


def test_the_fullest_file_says_how_full_a_gateway_is() -> None:
    files = {"xds/rds.json": b" " * 1000, "xds/cds.json": b" " * (envoy.LIMIT_BYTES // 2 + 1), "xds/lds.json": b""}
    assert envoy.fullness(files, replace(LAYOUT, mounted=True)) == (51, "xds/cds.json")
    assert envoy.fullness(files, replace(LAYOUT, mounted=False)) == (4, "xds/cds.json")
