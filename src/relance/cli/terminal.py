"""What a person sees: tables on stdout, progress and messages on stderr."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Generator, Sequence
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from relance.pipeline.run_handle import Progress, RunHandle

__all__ = ["Terminal"]

_SHOWN_FAILURES = 10


class Terminal:
    """The two streams; `as_json` turns results into JSON on stdout and leaves stderr alone."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.out = Console(highlight=False, soft_wrap=True)
        self.err = Console(stderr=True, highlight=False, soft_wrap=True)
        self._bar: Any = None

    def json(self, value: Any) -> None:
        """Print a value as JSON."""
        sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")

    def say(self, message: str) -> None:
        """Print one line of result."""
        self.out.print(escape(message))

    def problem(self, message: str) -> None:
        """Print what went wrong."""
        self.err.print(f"[bold red]relance:[/] {escape(message)}")

    def note(self, message: str) -> None:
        """Print what is worth knowing."""
        if not self.as_json:
            self.err.print(f"[dim]{escape(message)}[/]")

    def hint(self, message: str) -> None:
        """Print what a person may do next; nothing where nobody watches."""
        if self.err.is_terminal:
            self.note(message)

    def pairs(self, title: str, values: dict[str, Any]) -> None:
        """Print names and values in two columns."""
        table = Table(title=title, show_header=False, title_justify="left", title_style="bold")
        table.add_column(style="cyan")
        table.add_column()
        for name, value in values.items():
            table.add_row(name, escape(str(value)))
        self.out.print(table)

    def report(self, report: dict[str, Any]) -> None:
        """Print the closing table of a run."""
        counts = " · ".join(f"{report[name]:,} {name}" for name in ("added", "changed", "removed", "unchanged"))
        things, chunks = ("media", "rows") if report["part"] == "media" else ("documents", "chunks")
        rows = {
            things: counts,
            chunks: f"{report['chunks']:,} written · {report['embedded']:,} embedded · {report['reused']:,} reused",
            "tokens": f"{report['tokens']:,} in {report['requests']:,} requests",
            "cost": f"${report['cost_usd']:.4f}",
            "seconds": " · ".join(f"{stage} {seconds:.2f}" for stage, seconds in report["seconds"].items()),
            "table": f"{report['table']} version {report['table_version']}",
            "run": report["run_id"],
        }
        if report["failed"]:
            rows["failures"] = f"{report['failed']:,} (relance failures)"
        title = f"{report['index']}: media" if report["part"] == "media" else report["index"]
        self.pairs(f"{title}: {report['status']}", rows)
        self.failures(report["failures"][:_SHOWN_FAILURES], report["failed"])
        for note in report["notes"]:
            self.err.print(f"[yellow]{escape(note)}[/]")
        if report.get("media"):
            self.report(report["media"])

    def plan(self, plan: dict[str, Any], part: str = "plan") -> None:
        """Print a change plan."""
        section = "embedding" if part == "plan" else "media.embedding"
        cost = (
            f"unknown: set {section}.price_per_million_tokens"
            if plan["cost_usd"] is None
            else f"${plan['cost_usd']:.4f}"
        )
        names = ("added", "changed", "removed", "unchanged")
        rows = {
            "documents": " · ".join(f"{plan[name]:,} {name}" for name in names),
            "chunks": f"{plan['chunks']:,}, {plan['reused']:,} of them with a vector already",
            "to embed": f"{plan['tokens']:,} tokens in {plan['requests']:,} requests",
            "cost": cost,
        }
        if plan["failed"]:
            rows["failures"] = f"{plan['failed']:,}"
        if plan["free_tokens"]:
            rows["free"] = f"{plan['free_tokens']:,} of the tokens are covered by {section}.free_tokens"
        title = f"{plan['index']}: {part}" + (" (rebuild: another model)" if plan["rebuild"] else "")
        self.pairs(title, rows)
        self.failures(plan["failures"][:_SHOWN_FAILURES], plan["failed"])
        if plan.get("media"):
            self.plan(plan["media"], part="plan of its media")

    def maintained(self, done: dict[str, Any]) -> None:
        """Print what housekeeping did."""
        compacted = [f"{name}: {before} files → {after}" for name, (before, after) in done["compacted"].items()]
        rows = {
            "compacted": "\n".join(compacted) or "nothing to do",
            "old versions": f"{done['versions']:,} dropped",
            "old tables": ", ".join(done["dropped"]) or "none to drop",
            "vectors": f"{done['pruned']:,} pruned",
            "indexes": ", ".join(done["indexes"]) or "none",
            "failures": f"{done['failures']:,}, {done['retryable']:,} of which may pass by themselves",
        }
        if done["bytes_before"] is not None:
            rows["store"] = f"{done['bytes_before']:,} → {done['bytes_after']:,} bytes"
        self.pairs(f"{done['index']}: maintained in {done['seconds']:.1f} s", rows)
        if done["interrupted"]:
            self.note(f"run {done['interrupted']} was cut short; its tables were left to the next run")

    def asks(self) -> bool:
        """Whether there is a person to ask: the answer is typed, the question goes to stderr."""
        return sys.stdin.isatty() and self.err.is_terminal

    def approve(self, reasons: Sequence[str], plan: dict[str, Any]) -> bool:
        """Show a plan and what of it needs approval, and ask; only a yes is a yes."""
        if self._bar is not None:
            self._bar.stop()  # it would write over the question
        aside = Terminal()
        aside.out = self.err  # stdout is for results
        aside.plan(plan)
        for reason in reasons:
            self.err.print(f"[yellow]This run {escape(reason)}.[/]")
        try:
            answer = self.err.input("Go on? [y/N] ", markup=False)
        except EOFError:
            answer = ""
        if self._bar is not None:
            self._bar.start()
        return answer.strip().lower() in {"y", "yes"}

    def failures(self, failures: list[dict[str, Any]], total: int) -> None:
        """Print failures with their reasons."""
        for failure in failures:
            self.out.print(f"  [red]✗[/] {escape(failure['uri'])}: {escape(failure['reason'])}")
        if total > len(failures):
            self.out.print(f"  … and {total - len(failures):,} more")

    def hits(self, hits: list[dict[str, Any]], *, first: int = 1) -> None:
        """Print search results, best first, with the words of the question in bold."""
        if not hits:
            self.out.print("no hits")
        for rank, hit in enumerate(hits, start=first):
            where = hit["uri"] + (f", page {hit['page']}" if hit["page"] else "")
            path = " › ".join(hit["heading_path"])
            self.out.print(
                f"[bold]{rank}. {escape(where)}[/]  [dim]{hit['score']:.3f}[/]  {escape(path or hit['title'])}"
            )
            self._explained(hit)
            self.out.print(Text("   ") + _passage(hit))
            for other in hit["chunks"]:
                path = " › ".join(other["heading_path"])
                self.out.print(f"   [dim]+ {other['score']:.3f}[/]  {escape(path or other['title'])}")
                self.out.print(Text("     ") + _passage(other))
            if left := hit["further"] - len(hit["chunks"]):
                self.out.print(f"   [dim]… and {left:,} more of this document[/]")

    def media_hits(self, hits: list[dict[str, Any]], *, first: int = 1) -> None:
        """Print images and videos, best first."""
        if not hits:
            self.out.print("no images or videos found")
        for rank, hit in enumerate(hits, start=first):
            size = f"{hit['width']}×{hit['height']}" if hit["width"] else ""
            length = f"{hit['duration_s']:.1f} s" if hit["duration_s"] else ""
            what = " ".join(part for part in (hit["kind"], size, length) if part)
            self.out.print(f"[bold]{rank}. {escape(hit['url'])}[/]  [dim]{hit['score']:.3f}[/]  {what}")
            self._explained(hit)
            words = _marked(hit["caption"], hit["highlights"]) if hit["caption"] else Text(hit["title"])
            where = " › ".join(hit["heading_path"])
            if words or where:
                self.out.print(Text("   ") + Text(" · ").join(part for part in (words, Text(where)) if part))

    def _explained(self, hit: dict[str, Any]) -> None:
        """Print where a hit's place comes from, if it says so."""
        if told := hit["explained"]:
            named = {"dense": "cosine", "full-text": "bm25", "sparse": "sparse"}
            parts = [f"{mode} {rank}. ({told[named[mode]]:.3f})" for mode, rank in told["ranks"].items()]
            parts += [f"{name} {told[name]:.3f}" for name in ("fused", "rerank") if told[name] is not None]
            self.out.print(f"   [dim]{' · '.join(parts)}[/]")

    @contextlib.contextmanager
    def progress(self, index: str, handle: RunHandle) -> Generator[None]:
        """Show a bar with counts, rate and time left while a run goes on; nothing where nobody watches."""
        from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[detail]}"),
            TimeRemainingColumn(),
        )
        with Bar(*columns, console=self.err, transient=True, disable=not self.err.is_terminal or self.as_json) as bar:
            task = bar.add_task(f"{index}: starting", total=None, detail="")

            def show(progress: Progress) -> None:
                elapsed = bar.tasks[0].elapsed or 0.0
                rate = f" · {progress.chunks / elapsed:,.0f}/s" if elapsed and progress.chunks else ""
                detail = f"{progress.chunks:,} chunks{rate} · {progress.failures} failures"
                bar.update(
                    task, description=f"{index}: {progress.stage}", completed=progress.documents,
                    total=progress.documents_total, detail=detail,
                )  # fmt: skip

            handle.on_progress = show
            self._bar = bar
            yield


def _passage(hit: dict[str, Any]) -> Text:
    """Show the best passage of a hit, on one line."""
    start, end = hit["snippet"]
    text = _marked(hit["text"][start:end], [[a - start, b - start] for a, b in hit["highlights"]])
    return Text("… " if start else "") + text + Text(" …" if end < len(hit["text"]) else "")


def _marked(text: str, spans: Sequence[Sequence[int]]) -> Text:
    """Write a text on one line, with spans of it in bold."""
    bold = {place for start, end in spans for place in range(start, end)}
    letters = [(" " if letter.isspace() else letter, place in bold) for place, letter in enumerate(text.rstrip())]
    letters = [each for before, each in pairwise([(" ", False), *letters]) if (before[0], each[0]) != (" ", " ")]
    parts = ((marked, "".join(letter for letter, _ in run)) for marked, run in groupby(letters, itemgetter(1)))
    return Text.assemble(*((part, "bold" if marked else "") for marked, part in parts))
