"""IR to Kubernetes objects."""
