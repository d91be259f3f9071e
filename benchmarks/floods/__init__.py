"""Floods: what a gateway with so much memory stands, and what becomes of others meanwhile."""
