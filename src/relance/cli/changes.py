"""The documents of a plan on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.markup import escape

from relance.counted import counted
from relance.safe_text import visible

if TYPE_CHECKING:
    from relance.cli.terminal import Terminal

__all__ = ["show_changes"]

_MARKS = {"added": "[green]+[/]", "changed": "[yellow]~[/]", "removed": "[red]-[/]"}


def show_changes(terminal: Terminal, plan: dict[str, Any]) -> None:
    """Print which documents a run would add, change and remove, by reason; of the texts, then of the media."""
    for change in plan["changes"]:
        count, uris = change["documents"], change["uris"]
        terminal.out.print(f"[bold]{counted(count, 'document')} {change['action']}[/]: {escape(change['reason'])}")
        for uri in uris:
            terminal.out.print(f"  {_MARKS[change['action']]} {escape(visible(uri, line=True))}")
        if left := count - len(uris):
            terminal.out.print(f"  [dim]… and {left:,} more (--limit)[/]" if uris else "  [dim](--limit lists them)[/]")
    if plan.get("media"):
        show_changes(terminal, plan["media"])
