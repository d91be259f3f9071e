"""IR to Envoy's files, one module per Envoy resource; the filters stand in one ordered list.

Knows the IR only. Every result is plain JSON-able data, sorted and byte-stable.
"""
