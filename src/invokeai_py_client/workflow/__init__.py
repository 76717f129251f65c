"""Workflow documents, pure: what a file holds, what its inputs are, and the graph that the web UI would send."""
