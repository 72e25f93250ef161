"""JSON files that appear whole or not at all, and errors that say what is wrong with one."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from unroll.errors import ArgumentError


def write_json(path: str | Path, values: Any) -> None:
    """Write values as JSON through a temporary file in the same folder, then rename."""
    target = Path(path)
    text = json.dumps(values, indent=2, allow_nan=False) + "\n"
    try:
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=target.name, suffix=".part")
    except OSError as error:
        condition = f"cannot be written ({error.strerror})"
        raise ArgumentError("path", str(path), condition, "give a writable folder") from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
    except OSError as error:
        os.unlink(temporary)
        condition = f"cannot be written ({error.strerror})"
        raise ArgumentError("path", str(path), condition, "give a writable file name") from None


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Raises
    ------
    ArgumentError
        The file is missing, is no text, or is cut off.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        condition = f"cannot be read ({error.strerror})"
        raise ArgumentError("path", str(path), condition, "give an existing JSON file") from None
    except ValueError as error:
        condition = f"is not valid JSON ({error})"
        raise ArgumentError("path", str(path), condition, "write the file again") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
