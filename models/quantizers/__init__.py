"""One interface, several quantizers: pixels and a number of colors in, a PaletteImage out."""
