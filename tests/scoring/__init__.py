"""Tests of kerasgen.scoring."""
