"""Tests of `kerasgen.modelfile`."""
