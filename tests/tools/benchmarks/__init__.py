"""kerasgen and what a user might pick instead, measured side by side: ``python -m tests.tools.benchmarks``."""
