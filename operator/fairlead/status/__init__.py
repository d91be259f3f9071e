"""Reports and observations to conditions and status."""
