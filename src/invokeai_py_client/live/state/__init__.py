"""The state of runs as pure data: it sends no requests and reads no clock."""
