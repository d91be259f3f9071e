"""One unary call, answered by each library that can: what it costs the server."""
