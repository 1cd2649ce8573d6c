"""Models as a service: texts over HTTP, generated side by side."""
