"""What a model thinks of a text: the parts of ``python -m kerasgen.score``."""
