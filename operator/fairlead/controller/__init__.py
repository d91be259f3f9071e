"""The kopf shell: events mark dirty, one reconcile from the whole snapshot."""
