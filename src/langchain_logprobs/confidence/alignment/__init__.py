"""Tokens to their places in a text, whatever was lost or added on the way."""
