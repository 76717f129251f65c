"""Images and videos: single ones, many at once, and zips."""
