"""The HTTP service: an image in, a few-colour image or a prediction out. Everything about pixels is in `models`."""
