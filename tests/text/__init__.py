"""Tests of `kerasgen.text`."""
