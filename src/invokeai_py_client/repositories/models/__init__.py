"""Installed models, and the installation of models."""
