"""Many files at once: uploads, bounded concurrency, and the journal that makes them resumable."""
