"""What commands ask beyond the files: the list of public prices, and the endpoints themselves.

Loaded by name: whoever checks files alone needs neither of the extras that bring these.
"""

import asyncio
import importlib
from collections.abc import Mapping
from typing import cast

from fairlead.adapters.clock import SystemClock
from fairlead.budget.public_price import PublicPrices
from fairlead.standalone import declared
from fairlead.standalone.declared import DeclaredEndpoint
from fairlead.standalone.diagnostics import Diagnostic

Found = tuple[list[Diagnostic], list[str]]
"""What is wrong, and what was asked, in words."""


def public_prices() -> PublicPrices:
    """Return the public prices of now. Raises `ModuleNotFoundError` without the package that brings them."""
    adapter = importlib.import_module("fairlead.adapters.public_prices")
    return cast("PublicPrices", adapter.GenaiPrices(SystemClock().now()))


def prices(endpoints: tuple[DeclaredEndpoint, ...]) -> Found:
    """Compare what is declared with what is public."""
    public = public_prices()
    found, compared = declared.price_differences(endpoints, public)
    every = {(str(one.provider.key), model.price_path) for one in endpoints for model in one.models}
    unknown = len(every) - compared
    ending = f", {unknown} not in the list" if unknown else ""
    return found, [f"prices: {public.edition}: {compared} models compared, {len(found)} prices differ{ending}"]


def probes(endpoints: tuple[DeclaredEndpoint, ...], inputs: object, environment: Mapping[str, str]) -> Found:
    """Ask each endpoint for its models, with its key; no tokens are spent."""
    endpoint_probes = importlib.import_module("fairlead.standalone.endpoint_probes")
    probed = asyncio.run(endpoint_probes.probe(endpoints, inputs, environment))
    found = [one for each in probed for one in endpoint_probes.judged(each)]
    return found, [f"probed: {endpoint_probes.summary(each)}" for each in probed]
