"""Threads and loops: one coroutine, called from anywhere. Knows nothing of InvokeAI."""
