"""Multi-region LLM routing on Envoy."""

__version__ = "0.1.0"
