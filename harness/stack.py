"""The composition root: start, apply, wait until ready, tear down."""
