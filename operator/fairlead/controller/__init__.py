"""The operator: the shell that runs the compiler on Kubernetes.

Any event only marks the cluster dirty; one level-based pass reads the whole view, compiles, applies what differs, and
says in status what came of it. What is decided here is small; what is decided is in `compiler`, `manifests`, `status`.
"""
