"""What a stream, and an answer in one piece, cost: CPU time of Envoy, against a bare Envoy in the same rounds."""
