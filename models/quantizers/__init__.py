"""One interface, several quantizers: pixels and a number of colours in, a PaletteImage out."""
