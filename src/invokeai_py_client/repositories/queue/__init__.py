"""Queues: their items, and the order and positions of these."""
