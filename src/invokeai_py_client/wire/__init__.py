"""The server's language, pure: what can be asked, what comes back, and what is pushed."""
