"""What stops the reading of a source."""


class SourceError(Exception):
    """A source could not be read: the message names the source, says what is wrong with it, and what to do instead."""
