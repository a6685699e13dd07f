"""Mutated uploads and requests, by the hundred thousand, against a real server process: `make fuzz`."""
