"""Recipes on top of the client: pipelines, retries, a log file, a monitor."""
