"""What an Envoy reads only when it starts is not taken while `fairlead up` runs: it is said instead."""

from pathlib import Path

import pytest

from fairlead import ir
from fairlead.api.installation import Installation, Limits, Region
from fairlead.envoy import BudgetServer
from fairlead.errors import InstallationError
from fairlead.standalone.addresses import Addresses
from fairlead.standalone.context import check_live, layouts_of
from fairlead.standalone.state import StateFolder


def installation(**limits: object) -> Installation:
    here = Region(name="local", geo="local", listen="127.0.0.1:8101")
    return Installation(regions=(here,), limits=Limits.model_validate(limits))


@pytest.mark.parametrize(
    ("field", "value", "got"), [("connections", 100, "got `100`, want `10000`"), ("memoryBytes", 1 << 30, "`nothing`")]
)
def test_what_needs_another_start_is_refused(field: str, value: int, got: str) -> None:
    with pytest.raises(InstallationError, match=rf"limits[.]{field}: .*{got}.*start it again"):
        check_live(installation(), installation(**{field: value}))
    check_live(installation(**{field: value}), installation(**{field: value}))


def test_what_listeners_carry_changes_while_it_runs() -> None:
    check_live(installation(), installation(requestTimeout="5s", idleTimeout="70s", requestBytes=2048))


def test_runs_that_share_a_store_tell_their_gateways_of_one_region_apart() -> None:
    anywhere = ir.ListenAddress(address="127.0.0.1", port=0)
    names = [
        layouts_of(
            installation(),
            {region: Addresses(listen=anywhere, metrics=anywhere) for region in ("local", "other")},
            StateFolder(root=Path("/state")),
            ca_file="/ca",
            budget=BudgetServer(rpc="unix:/x", usage="unix:/y"),
            run=run,
        )[region].instance
        for run in ("1", "2")
        for region in ("local", "other")
    ]
    assert names == ["local-1", "other-1", "local-2", "other-2"]
