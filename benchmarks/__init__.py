"""Measures sdrest beside the original: `python -m benchmarks`, `python -m benchmarks.engine`."""
