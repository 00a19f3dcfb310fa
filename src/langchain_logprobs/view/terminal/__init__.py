"""A trace drawn in the terminal."""
