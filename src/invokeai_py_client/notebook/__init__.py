"""The views of the client's objects in a notebook. Takes plain data, and does not import notebook libraries."""
