"""The errors that a user can cause or cure. Each carries one clear line that says what to do."""


class InputError(ValueError):
    """Bad input or settings: names the file, the key and what was expected (exit code 2)."""


class MissingError(RuntimeError):
    """Something is not on this machine - a library, a model, the network - and how to get it (exit code 3)."""
