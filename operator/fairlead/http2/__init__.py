"""A server of HTTP/2 for one kind of call: gRPC's unary one, as Envoy makes it.

It knows nothing of what is asked and answered. `frames` and `headers` are the bytes, `connection` what one client
may do and when (no I/O, no clock), `unary` what gRPC makes of a request, `listener` the sockets. Why it is there, and
what was tried before, stands in `docs/adr/http2-of-its-own.md`.
"""
