"""Serving, measured beside yardsticks: ``python -m benchmarks.serving``. ``docs/performance.md`` explains it."""
