"""The region state machine: probes in, endpoints up or down out, with hysteresis."""
