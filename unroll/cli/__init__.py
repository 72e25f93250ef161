"""The `unroll` command: the one place that imports `unroll`, `constructions` and `proofs_check`.

Exit status: 0 success, 1 a check that did not pass (`verify`, `certify`, `prove`), 2 bad input.
Results go to standard output; progress and errors go to standard error, an error as one line.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from unroll.errors import ArgumentError

__all__ = ["command", "main", "run"]

#: Name -> module of `unroll.cli` that defines it as `command`. `import torch` takes seconds, so
#: a module is imported only when its command runs or its help is shown.
COMMANDS = {
    "demo": "demo",
    "fit": "fit",
    "plan": "plan",
    "build": "build",
    "verify": "verify",
    "certify": "certify",
    "prove": "prove",
    "sample": "sample",
    "law": "law",
}


class LazyGroup(click.Group):
    """A click group that imports a command's module when the command is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of a first use, not of the alphabet."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, if there is one."""
        if cmd_name not in COMMANDS:
            return None
        found = import_module(f"unroll.cli.{COMMANDS[cmd_name]}").command
        assert isinstance(found, click.Command)
        return found


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="unrolled-transformers", prog_name="unroll")
def command() -> None:
    """Transformers written by hand: from data to a transformer whose score is known.

    A first look: `unroll demo`. Your own data: `unroll fit`, `plan`, `build`, `verify`, `sample`.
    What is sampled: `unroll law`. Why it is right: `unroll certify`, `prove`.
    """


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status; every user error is one line."""
    # Read when torch is imported. On a busy machine more threads were up to 100 times slower.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        status = command.main(
            args=None if arguments is None else list(arguments),
            prog_name="unroll",
            standalone_mode=False,
        )
        return status if isinstance(status, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "unroll"
        _complain(f"{error.format_message().rstrip('.')}; see `{where} --help`")
    except ArgumentError as error:
        _complain(str(error))
    except click.ClickException as error:
        _complain(error.format_message())
    except OSError as error:
        name = error.filename if error.filename is not None else "file"
        _complain(f"{name}: {error.strerror or error}; check the path and its permissions")
    except (click.Abort, KeyboardInterrupt):
        _complain("interrupted")
        return 130
    return 2


def main() -> None:
    """Entry point of the `unroll` command."""
    # As an exception, so that half-written folders are removed when a scheduler stops the run.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    sys.exit(run())


def _complain(text: str) -> None:
    click.echo(f"unroll: error: {' '.join(text.split())}", err=True)
