"""Protocol buffer sources, read without a compiler."""
