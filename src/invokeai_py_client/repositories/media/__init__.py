"""Images and videos: one, many, and as zips."""
