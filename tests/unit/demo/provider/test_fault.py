"""Which requests fail, and when a fault is over."""

from fairlead.demo.provider.fault import Fault, Faults

CHAT = "/v1/chat/completions"


def test_counted_fault_ends() -> None:
    faults = Faults()
    faults.add(Fault(status=429, count=2))
    taken = [faults.take(path=CHAT, model="m") for _ in range(4)]
    assert [fault is not None for fault in taken] == [True, True, False, False]


def test_filters() -> None:
    faults = Faults()
    faults.add(Fault(status=500, model="m"))
    faults.add(Fault(status=503, path="/models"))
    assert (faults.take(path=CHAT, model="m") or Fault()).status == 500
    assert faults.take(path=CHAT, model="other") is None
    assert (faults.take(path="/v1/models", model=None) or Fault()).status == 503


def test_probability_is_a_share() -> None:
    faults = Faults(seed=1)
    faults.add(Fault(status=500, probability=0.25))
    hits = sum(faults.take(path=CHAT, model="m") is not None for _ in range(1_000))
    assert 200 < hits < 300


def test_clear() -> None:
    faults = Faults()
    faults.add(Fault(hang=True))
    faults.clear()
    assert faults.take(path=CHAT, model="m") is None
