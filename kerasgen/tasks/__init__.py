"""What is learned: settings and a text to everything that a training needs."""
