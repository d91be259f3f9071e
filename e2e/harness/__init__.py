"""What end-to-end tests are written in: a cluster, kubectl, a team, a provider, load, and waiting for conditions."""
