"""What a change costs the operator as a process of its own: memory and CPU, with nothing else of a cluster."""
