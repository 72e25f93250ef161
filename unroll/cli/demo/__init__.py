"""`unroll demo`: the main job on the bundled real data, and a report of it."""

from unroll.cli.demo.command import command

__all__ = ["command"]
