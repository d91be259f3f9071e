"""Fairlead's gateway beside others: requests per second and core, CPU per request, added latency, streams."""
