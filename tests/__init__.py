"""The tests: one file a room, and the real commands."""
