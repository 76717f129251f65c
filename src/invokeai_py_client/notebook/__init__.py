"""What the client's objects look like in a notebook. Takes plain data, and imports no notebook by itself."""
