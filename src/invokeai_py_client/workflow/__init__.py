"""Workflow documents, their inputs, and the graphs that run them; no I/O beyond reading and writing files."""
