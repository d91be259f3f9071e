"""How many examples a property tries: few in `make test`, four times as many in `make fuzz`."""

from hypothesis import settings


def times(factor: int) -> settings:
    """Try so many times what others try: for what is cheap, and found seldom."""
    return settings(max_examples=factor * settings().max_examples)
