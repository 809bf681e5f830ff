"""The plugins: one file each, one line each in `registry`."""
