import pytest

from fairlead import envoy
from fairlead.errors import TooLargeError


def test_a_file_at_the_limit_fits() -> None:
    envoy._check_size({"xds/cds.json": b" " * envoy.LIMIT_BYTES}, envoy.LIMIT_BYTES, region="eu")


def test_the_largest_file_is_named_with_what_to_do() -> None:
    files = {"xds/rds.json": b" " * (envoy.LIMIT_BYTES + 1), "xds/cds.json": b" " * (envoy.LIMIT_BYTES + 2)}
    with pytest.raises(TooLargeError, match=r"region `eu`: got `xds/cds.json` of 921602 bytes, want at most 921600, "):
        envoy._check_size(files, envoy.LIMIT_BYTES, region="eu")


def test_a_file_that_no_config_map_carries_may_be_larger() -> None:
    assert envoy.LOCAL_LIMIT_BYTES > envoy.LIMIT_BYTES
    envoy._check_size({"xds/cds.json": b" " * (envoy.LIMIT_BYTES + 1)}, envoy.LOCAL_LIMIT_BYTES, region="eu")
