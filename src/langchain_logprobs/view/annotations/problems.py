"""Why scores could not be written, in a sentence for the person at the terminal."""


class AnnotateError(Exception):
    """Names the cause and the cure."""
