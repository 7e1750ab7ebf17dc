"""An evaluation on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from relance.evaluation.tables import Cells, cost_cells, notes, quality_cells, trade_off_cells

if TYPE_CHECKING:
    from relance.cli.terminal import Terminal
    from relance.evaluation.compare import Comparison
    from relance.evaluation.dimensions import TradeOff

__all__ = ["show"]


def show(terminal: Terminal, comparison: Comparison, curves: Sequence[TradeOff]) -> None:
    """Print the tables, what is found, and what it rests on."""
    _table(terminal, "quality", quality_cells(comparison))
    _table(terminal, "cost", cost_cells(comparison))
    for finding in comparison.findings:
        terminal.say(finding)
    for note in notes(comparison):
        terminal.say(note)
    for curve in curves:
        _table(terminal, f"{curve.index}: shorter vectors", trade_off_cells(curve))
        terminal.say(curve.note)


def _table(terminal: Terminal, title: str, cells: Cells) -> None:
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for place, name in enumerate(cells.head):
        table.add_column(escape(name), style="" if place else "cyan", justify="right" if place else "left",
                         overflow="fold", min_width=None if place else 9)  # fmt: skip
    for row in cells.rows:
        table.add_row(*(escape(cell) for cell in row))
    terminal.out.print(table)
