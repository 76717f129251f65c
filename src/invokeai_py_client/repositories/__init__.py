"""The parts of the server's API by noun. Each is an awaited class, from which a blocking class is generated."""
