"""What stops a command: a sentence for the person at the terminal."""


class CannotShowError(Exception):
    """Names the cause and the cure; the command ends with the exit code 1."""
