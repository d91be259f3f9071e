"""Which rule of a route a request matches, as gateways decide it: for `fairlead explain`, and to hold gateways against.

Pure: bodies in, values out. The request filter's own reading stands in `fairlead/envoy/lua/request/`, in `prompt.lua`,
`literals.lua` and `rules.lua`.
"""

from fairlead.matching.prompt import Amiss, Prompt, read
from fairlead.matching.rules import first_match

__all__ = ["Amiss", "Prompt", "first_match", "read"]
