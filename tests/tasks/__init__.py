"""Tests of `kerasgen.tasks`."""
