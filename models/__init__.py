"""From pixels to a palette image to bytes: decoding, networks, quantizers, codecs. No HTTP, datasets or optimizer."""
