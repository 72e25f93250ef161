"""The one error a user meets: which argument, its value, what must hold, what to do."""

from __future__ import annotations

from typing import Any

import numpy as np

_LONGEST = 60


def abbreviate(value: Any) -> str:
    """One short line that shows a value, however large it is.

    >>> abbreviate(0.5)
    '0.5'
    >>> import numpy as np
    >>> abbreviate(np.zeros((2, 50)))
    'array of shape (2, 50)'
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, np.ndarray):
        if value.size > 4:
            return f"array of shape {value.shape}"
        value = value.tolist()
    text = " ".join((value if isinstance(value, str) else repr(value)).split())
    if len(text) <= _LONGEST:
        return text
    # both ends tell: the start of a value, the file name of a path
    half = (_LONGEST - 3) // 2
    return f"{text[:half]}...{text[-half:]}"


class ArgumentError(ValueError):
    """An argument is outside what the called function accepts.

    Parameters
    ----------
    argument : str
        Name of the argument, as the caller wrote it.
    value
        What was given. Kept as it is; abbreviated in the message.
    condition : str
        What must hold, or what was found instead.
    remedy : str
        What the caller can do about it.

    Examples
    --------
    >>> raise ArgumentError("length_scale", -1.0, "must be positive", "give a length in frames")
    Traceback (most recent call last):
    ...
    unroll.errors.ArgumentError: length_scale=-1.0: must be positive; give a length in frames
    """

    def __init__(self, argument: str, value: Any, condition: str, remedy: str) -> None:
        # All four go to `args`, so that the error survives pickling between processes.
        super().__init__(argument, value, condition, remedy)
        self.argument = argument
        self.value = value
        self.condition = condition
        self.remedy = remedy

    def __str__(self) -> str:
        text = f"{self.argument}={abbreviate(self.value)}: {self.condition}; {self.remedy}"
        return " ".join(text.split())
