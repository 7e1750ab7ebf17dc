"""The command that checks everything an index has in its store, and repairs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.markup import escape
from rich.table import Table

from relance.cli.options import DONE, FAILED, HERE, AsJson, Spec
from relance.cli.terminal import Terminal

if TYPE_CHECKING:
    from relance.store.doctor import Examination, Finding

__all__ = ["doctor"]

_SHOWN = 5  # uris of a finding; --json has all
_MARKS = {"found": "[red]✗[/]", "repaired": "[green]✓[/]", "waiting": "[yellow]…[/]", "left": "[red]✗[/]"}
_NARROW = 100  # columns; below, what would be three columns of a few words each is printed as lines


def doctor(spec: Spec = HERE, *, repair: Annotated[bool, Parameter(negative="")] = False, wait: float = 0.0,
           json: AsJson = False) -> int:  # fmt: skip
    """Check every table, file, search index, catalog entry and cache entry of an index; exit code 1 on a problem.

    Parameters
    ----------
    repair
        Repair what can be repaired, and say what is lost; without, nothing is written.
    wait
        Seconds to wait for a run on this index; only --repair has to wait.
    """
    from relance.index import Index

    terminal = Terminal(as_json=json)
    exam = Index(spec).doctor(repair=repair, wait_s=wait)
    if json:
        terminal.json(exam.as_dict())
    else:
        _show(terminal, exam)
    return DONE if exam.healthy else FAILED


def _show(terminal: Terminal, exam: Examination) -> None:
    if exam.findings:
        rows = [_row(each) for each in exam.findings]
        _lines(terminal, rows) if terminal.out.width < _NARROW else _table(terminal, exam.index, rows)
    for note in exam.notes:
        terminal.note(note)
    terminal.say(_outcome(exam))


def _row(finding: Finding) -> tuple[str, str, str, str]:
    mark = "[dim]·[/]" if finding.level == "note" and finding.state != "repaired" else _MARKS[finding.state]
    where = f"{finding.where}\n{finding.code}"
    what = [finding.what, *(f"  {uri}" for uri in finding.documents[:_SHOWN])]
    if len(finding.documents) > _SHOWN:
        what.append(f"  … and {len(finding.documents) - _SHOWN:,} more: --json")
    then = [finding.done or finding.remedy, _lost(finding)]
    return mark, escape(where), escape("\n".join(what)), escape("\n".join(filter(None, then)))


def _lost(finding: Finding) -> str:
    """Say what is gone, and what it would cost to buy it again."""
    parts = [f"lost: {finding.lost}"] if finding.lost else []
    if finding.tokens is None:
        parts.append("what it costs to buy again is not known")
    elif finding.tokens:
        price = "price not known" if finding.usd is None else f"${finding.usd:.4f}"
        parts.append(f"to buy again: {finding.tokens:,} tokens, {price}")
    elif finding.documents:
        parts.append("nothing is bought again")
    return "; ".join(parts)


def _table(terminal: Terminal, index: str, rows: list[tuple[str, str, str, str]]) -> None:
    table = Table(title=f"{escape(index)}: doctor", title_justify="left", title_style="bold", show_lines=True)
    for name, ratio in (("", None), ("where", 3), ("what is wrong", 5), ("repair", 4)):
        table.add_column(name, ratio=ratio, overflow="fold", style="cyan" if name == "where" else "")
    for row in rows:
        table.add_row(*row)
    terminal.out.print(table)


def _lines(terminal: Terminal, rows: list[tuple[str, str, str, str]]) -> None:
    for mark, where, what, then in rows:
        place, _, code = where.partition("\n")
        terminal.out.print(f"{mark} [cyan]{place}[/]  [dim]{code}[/]")
        for text in (what, then):
            for line in text.split("\n"):
                terminal.out.print(f"  {line}")


def _outcome(exam: Examination) -> str:
    from relance.store.doctor import counted

    numbers = ((exam.tables, "table"), (exam.files, "file"), (exam.rows, "row"), (exam.versions, "older version"))
    looked = ", ".join(counted(*each) for each in numbers)
    looked += (
        f", search indexes: {exam.search_indexes:,}, cache entries: {exam.cache_entries:,} in {exam.seconds:.1f} s"
    )
    if not exam.findings:
        return f"{exam.index} is healthy: {looked}"
    number = {state: sum(each.state == state for each in exam.findings) for state in _MARKS}
    if not exam.repaired:
        notes = sum(each.level == "note" for each in exam.findings)
        said = f"{counted(len(exam.findings) - notes, 'problem')}, {counted(notes, 'note')}"
        hint = "\n`relance doctor SPEC --repair` repairs what it can" if any(each.fix for each in exam.findings) else ""
        return f"{exam.index}: {said}; checked {looked}{hint}"
    said = f"{number['repaired']:,} repaired, {number['waiting']:,} left to the next run, {number['left']:,} left"
    after = "the index is in sync again as of the last run"
    if exam.waiting:
        after = f"`relance ingest` writes {counted(exam.waiting, 'document')} again, then the index is in sync"
    elif number["waiting"]:
        after = "`relance ingest` finishes it, then the index is in sync"
    elif number["left"]:
        after = "look at what is left above"
    return f"{exam.index}: {said}; {after}\nchecked {looked}"
