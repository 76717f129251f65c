"""The server's API as pure data: requests, responses and events."""
