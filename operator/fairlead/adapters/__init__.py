"""Effects behind small protocols: files, Envoy processes, HTTP, the clock."""
