"""Python modules for workflows: a dataclass of the inputs, and functions that run them."""
