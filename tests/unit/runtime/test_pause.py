from fairlead.runtime.pause import GrowingPause


def test_it_grows_to_its_bound_and_begins_anew() -> None:
    pause = GrowingPause(0.5, 3.0)
    assert [pause.after_failure() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    pause.reset()
    assert pause.after_failure() == 0.5
