"""What people asked of rollouts: `rollout-orders.json`, written by `fairlead rollout` and read by `fairlead up`.

An order stays in the file when it has been answered: its mark tells that it was. A damaged file orders nothing.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from fairlead.adapters import disk
from fairlead.errors import StateError
from fairlead.rollout.observation import Act, Order
from fairlead.runtime import saved
from fairlead.standalone.state import StateFolder


class RolloutOrders:
    """The last order for each route, read again at each look."""

    def __init__(self, state: StateFolder, warn: Callable[[str], None]) -> None:
        self._state, self._warn = state, warn
        self._known: Mapping[str, Order] = {}
        self._told = ""

    def read(self) -> Mapping[str, Order]:
        """Return the orders by route; where the file is damaged, those of before, told once."""
        try:
            self._known, self._told = read(self._state), ""
        except StateError as error:
            if str(error) != self._told:
                self._told = str(error)
                self._warn(f"{error}; nothing new is ordered, give the order again with `fairlead rollout`")
        return self._known


def read(state: StateFolder) -> Mapping[str, Order]:
    """Return the last order for each route, `namespace/name`; raises `StateError` where the file is damaged."""
    content = disk.read(state.rollout_orders)
    return {} if content is None else saved.decoded(content, _decode, str(state.rollout_orders))


def write(state: StateFolder, orders: Mapping[str, Order]) -> None:
    """Write all of them down; raises `StateError`."""
    document = {"orders": {route: {"act": one.act.value, "mark": one.mark} for route, one in sorted(orders.items())}}
    disk.write(state.rollout_orders, json.dumps(document, indent=1).encode())


def _decode(document: Any) -> Mapping[str, Order]:
    return {route: _order(one) for route, one in document["orders"].items()}


def _order(entry: Any) -> Order:
    mark = entry["mark"]
    if not isinstance(mark, str) or not mark:
        raise ValueError("a mark is text")
    return Order(act=Act(entry["act"]), mark=mark)
