"""Thousands of inputs that nobody would write; see ``python -m tests.tools.fuzz --help``."""
