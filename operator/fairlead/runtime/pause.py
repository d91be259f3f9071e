"""How long to wait before a step that failed is tried again."""


class GrowingPause:
    """Doubles from one failure to the next, up to a bound; one success begins anew."""

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._first_s, self._longest_s = first_s, longest_s
        self._next_s = first_s

    def after_failure(self) -> float:
        """Return how many seconds to wait now."""
        now = self._next_s
        self._next_s = min(2 * now, self._longest_s)
        return now

    def reset(self) -> None:
        """Begin with the first pause again."""
        self._next_s = self._first_s
