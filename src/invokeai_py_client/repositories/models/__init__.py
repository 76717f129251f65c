"""Models and their installation."""
