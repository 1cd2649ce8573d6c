"""Tests of `kerasgen.metrics`."""
