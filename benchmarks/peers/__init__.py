"""Scripts of the contestants, each run by a Python of its own: `python -m benchmarks.peers.NAME CONTEST JSON`.

Each does what its documentation shows for the task, and what that leaves open in the way that is fastest for it.
"""
