"""The pure half of what is live: what is known of a run, with no request and no clock of its own."""
