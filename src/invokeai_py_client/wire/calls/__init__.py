"""The server's routes, one module per noun; each function makes a `Call` and touches nothing."""
