from fairlead.api.problem import Problem


def test_a_problem_prints_as_path_and_message() -> None:
    assert str(Problem("spec.residency", "got `EU`, want `Geo`")) == "spec.residency: got `EU`, want `Geo`"
