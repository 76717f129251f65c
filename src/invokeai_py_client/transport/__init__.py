"""Network input and output on the engine: HTTP and the server's event socket."""
