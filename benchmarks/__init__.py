"""What things cost, measured. Nothing here is a test, and no test measures time."""
