"""Rollouts: how a change of a route's primary takes its traffic, by evidence. Pure: time and counts are arguments."""
