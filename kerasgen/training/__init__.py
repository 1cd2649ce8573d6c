"""The one way to fit; it knows only the contract."""
