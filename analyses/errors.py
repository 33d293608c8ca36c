"""The errors that a user can cause or cure. Each carries one clear line that says what to do."""

import re

# What PyTorch says where memory runs out, on a processor and on a graphics card.
_NO_MEMORY = re.compile(r"can't allocate memory|out of memory")
# A longer word is no word: what was found where another value was expected. A path is as long as this at the most, nearly always.
_LONG = re.compile(r"\S{401,}")
_BEGIN, _END = 300, 60
NOT_ENOUGH_MEMORY = "there is not enough memory; a shorter text or a smaller model needs less"


class _OneLineError(Exception):
    """An error whose words are one line, whatever of the user's own they quote: printable, and no word in it longer than 400 letters."""

    def __init__(self, message: object = "") -> None:
        super().__init__(_in_one_line(str(message)))


class InputError(_OneLineError, ValueError):
    """Bad input or settings: names the file, the key and what was expected (exit code 2).

    >>> print(InputError("a file of two\\nlines: expected one"))
    a file of two\\nlines: expected one
    """


class MissingError(_OneLineError, RuntimeError):
    """Something is not on this machine - a library, a model, the network - and how to get it (exit code 3)."""


def is_about_memory(error: BaseException) -> bool:
    """Whether an error says that there is not enough memory; PyTorch has no error of its own for that on a processor.

    >>> is_about_memory(MemoryError()), is_about_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory"))
    (True, True)
    >>> is_about_memory(RuntimeError("shapes cannot be multiplied"))
    False
    """
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and _NO_MEMORY.search(str(error)) is not None)


def _in_one_line(text: str) -> str:
    shown = "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
    return _LONG.sub(lambda word: f"{word[0][:_BEGIN]}...{word[0][-_END:]}", shown)
