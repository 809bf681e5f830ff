"""Images made from package registries alone: one recipe or one family of them a file."""
