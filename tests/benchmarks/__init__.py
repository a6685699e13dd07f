"""Measurements of a running service; each writes a JSON file under docs/results/data/."""
