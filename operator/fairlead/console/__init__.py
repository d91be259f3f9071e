"""A read-only page on loopback: what `status`, `rollout status` and `budgets` say, live, with charts."""
