"""Boards and their images."""
