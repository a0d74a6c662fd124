"""The one error that a command shows to a person."""


class CommandFailed(Exception):
    """A command could not do its work; the text says why and what to do, and is shown without a traceback."""
