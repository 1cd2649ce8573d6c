"""Tests of `kerasgen.training`."""
