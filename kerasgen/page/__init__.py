"""Models in a page of their own: one HTML file that writes in any browser, without a server."""
