"""Ids to logits, and gradients."""
