"""The heat map as a web page: one self-contained file, or served on this machine."""
