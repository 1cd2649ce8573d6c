"""Tests of `kerasgen.base`."""
