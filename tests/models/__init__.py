"""Tests of `kerasgen.models`."""
