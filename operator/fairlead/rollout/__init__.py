"""The canary state machine: `step(plan, state, observation, now) -> decision`."""
