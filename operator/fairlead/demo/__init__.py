"""What a newcomer runs first: real inference servers, a strict simulated provider, a story, a production hour."""
