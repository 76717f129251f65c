"""One batch on many servers."""
