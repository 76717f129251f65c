"""Generates Python modules for workflows, with a dataclass of the inputs, and functions that run the workflow."""
