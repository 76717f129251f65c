"""Server pushes become state: what each run is doing, and who is waiting for it."""
