"""What pure functions returned in one compilation, so that the next one need not call them with the same once more.

A memo is a value that grows while one compilation runs: it begins with what the one before asked for, and ends with
what this one did, so it never holds more than two compilations' worth, and nothing has to be thrown out by hand. What
a function is given is compared, and stands in the memo as a whole: a forgotten argument is the one way to be wrong,
which `tests/properties/test_memo.py` looks for by edits in any order.
"""

from collections.abc import Callable, Hashable, Mapping
from operator import is_
from typing import Any, TypeVar, cast

T = TypeVar("T")

_Made = tuple[tuple[Any, ...], Any]
"""What a function was given, and what it returned."""


class Memo:
    """Results by name. One compilation writes it, one at a time."""

    def __init__(self, before: "Memo | None" = None) -> None:
        self._before: Mapping[Hashable, _Made] = {} if before is None else before.made
        self._made: dict[Hashable, _Made] = {}

    def of(self, name: Hashable, given: tuple[Any, ...], make: Callable[[], T]) -> T:
        """Return what `make` returned when it had the name and was given the same; else let it make it.

        `given` is all that `make` depends on, values that never change; `make` has no effects. Names are unique within
        a compilation. What is the same object is the same; else what is equal is.
        """
        known = self._before.get(name)
        if known is None or not _are_same(known[0], given):
            known = (given, make())
        elif not _are_identical(known[0], given):
            known = (given, known[1])  # what is equal is kept once, and is found the same at once from now on
        self._made[name] = known
        return cast("T", known[1])

    def same(self, name: Hashable, value: T) -> T:
        """Return the value that had the name before, if it is equal: then it is the same object for who compares it."""
        known = self._before.get(name)
        if known is None or known[1] != value:
            known = ((), value)
        self._made[name] = known
        return cast("T", known[1])

    @property
    def made(self) -> Mapping[Hashable, _Made]:
        """What was asked for, by name."""
        return self._made

    def done(self) -> "Memo":
        """Forget what was not asked for: the compilation has ended."""
        self._before = {}
        return self


class Itself:
    """Stands for an object that is the same only as itself: in JSON, 1 and true and 1.0 are equal to Python."""

    __slots__ = ("_object",)

    def __init__(self, one: object) -> None:
        self._object = one

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Itself) and self._object is other._object

    def __hash__(self) -> int:
        return id(self._object)


def _are_identical(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    return all(map(is_, one, other))


def _are_same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    if len(one) != len(other):
        return False
    for mine, its in zip(one, other, strict=True):  # noqa: SIM110  a generator takes twice as long, and this is asked often
        if mine is not its and mine != its:
            return False
    return True
