"""Offline scripts: they read datasets and write checkpoints, and serve nothing."""
