"""The rate-limit service that prices tokens, and the usage API."""
