"""The HTTP service: an image in, a few-color image or a prediction out. Everything about pixels is in `models`."""
