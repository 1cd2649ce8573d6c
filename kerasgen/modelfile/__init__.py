"""A model in one safe file."""
