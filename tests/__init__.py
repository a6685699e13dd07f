"""The tests; their folders mirror models/, service/ and training/."""
