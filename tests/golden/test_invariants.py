"""Goldens record whatever comes out; here it is judged."""

import pytest
import yaml

from fairlead.translate.effective import effective
from golden_cases import Case, cases
from invariants import check, check_files, check_no_secrets


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
class TestGolden:
    def test_holds_what_always_holds(self, case: Case) -> None:
        check(case.compile(), case.installation, case.manifests)

    def test_files_name_only_what_exists(self, case: Case) -> None:
        for gateway in case.compile().gateways.values():
            assert gateway.files
            check_files(gateway.files, effective(gateway.ir, case.options.get("health", {})))

    def test_nothing_secret_comes_out(self, case: Case) -> None:
        check_no_secrets(case.compile(), case.secret_values)

    def test_twice_is_the_same(self, case: Case) -> None:
        again = case.compile_again()
        assert again.gateways == case.compile().gateways
        assert again.last_good == case.compile().last_good
        assert [report.conditions for report in again.reports] == [
            report.conditions for report in case.compile().reports
        ]

    def test_out_is_read_as_yaml_by_whoever_reviews_it(self, case: Case) -> None:
        assert yaml.safe_load(case.kept()["status.yaml"])["objects"]
