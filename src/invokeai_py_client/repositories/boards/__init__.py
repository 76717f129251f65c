"""Boards and what is on them."""
