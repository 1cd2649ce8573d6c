"""Tests of `kerasgen.runs`."""
