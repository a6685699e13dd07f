"""Palette images and pixels to the bytes of a file, and back. No codec imports torch."""
