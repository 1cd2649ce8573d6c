"""Tests of `kerasgen.serving`."""
