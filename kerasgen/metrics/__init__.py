"""How good and how new a text is."""
