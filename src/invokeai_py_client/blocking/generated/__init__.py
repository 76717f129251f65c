"""Written by `scripts/generate_blocking.py`; only this file is written by hand."""
