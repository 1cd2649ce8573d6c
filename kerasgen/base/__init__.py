"""People and files: nothing of text or models."""
