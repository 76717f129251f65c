"""Input and output, all of it on the engine: HTTP and the server's socket."""
