"""Tests of kerasgen.page."""
