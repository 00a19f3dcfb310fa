"""The version, as the package's metadata have it."""

from importlib import metadata

try:
    __version__ = metadata.version("langchain-logprobs")
except metadata.PackageNotFoundError:  # run from a folder, installed nowhere
    __version__ = "0+unknown"
