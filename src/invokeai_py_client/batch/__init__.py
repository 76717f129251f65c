"""Plans of many runs, and the batches that carry them out."""
