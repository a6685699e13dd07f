"""Pure torch modules: tensors in, tensors out. No files, no HTTP, no datasets."""
