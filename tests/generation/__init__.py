"""Tests of `kerasgen.generation`."""
