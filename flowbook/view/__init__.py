"""Draw flows and runs: pure strings and numbers, no Jupyter."""
