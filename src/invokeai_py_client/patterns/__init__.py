"""Recipes on top of the client."""
