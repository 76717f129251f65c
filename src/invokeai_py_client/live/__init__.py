"""The live state of runs, kept up to date by events of the server, and the waits for it."""
