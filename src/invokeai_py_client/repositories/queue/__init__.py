"""The queues: items, order and positions."""
