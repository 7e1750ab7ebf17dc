"""What a person sees: tables on stdout, progress and messages on stderr."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Generator, Sequence
from typing import Any

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.markup import escape
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from relance.cli.passage import marked, passage
from relance.cli.progress import Pace, bar, lines
from relance.counted import counted
from relance.pipeline.ignored_counts import ignored_lines
from relance.pipeline.run_handle import RunHandle
from relance.safe_text import redact, visible
from relance.search.hit import moment, pages

__all__ = ["SCHEMA_VERSION", "Terminal"]

SCHEMA_VERSION = 1  # of all JSON outputs: higher where a key goes away or means something else, not for new keys

_SHOWN_REASONS = 10
_SHOWN_PLACES = 3


class SafeOutput(RenderHook):
    """Keeps what is printed from steering the terminal, wherever a name or text came from."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Wrap what is printed."""
        return [_Safe(each) for each in renderables]


class _Safe:
    def __init__(self, content: ConsoleRenderable) -> None:
        self._content = content

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self._content, options):
            if segment.control:  # the cursor of a progress bar
                yield segment
            else:
                yield Segment(visible(segment.text), segment.style)


class Terminal:
    """The two streams; `as_json` turns results into JSON on stdout and leaves stderr alone."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.out = Console(highlight=False, soft_wrap=True)
        self.err = Console(stderr=True, highlight=False, soft_wrap=True)
        for console in (self.out, self.err):
            console.push_render_hook(SafeOutput())
        self._bar: Any = None

    def json(self, value: dict[str, Any]) -> None:
        """Print a result as JSON: an object that begins with the version of its schema (docs/json.md)."""
        self.plain_json({"schema_version": SCHEMA_VERSION} | value)

    def plain_json(self, value: Any) -> None:
        """Print JSON of somebody else's schema."""
        unicode = (sys.stdout.encoding or "utf-8").lower().startswith("utf")
        sys.stdout.write(json.dumps(value, ensure_ascii=not unicode, indent=2, default=str) + "\n")

    def say(self, message: str, *, whole: bool = False) -> None:
        """Print one line of result; `whole` where a token in an address is meant for who reads it."""
        self.out.print(escape(message if whole else redact(message)))

    def problem(self, message: str) -> None:
        """Print what went wrong."""
        self.err.print(f"[bold red]relance:[/] {escape(redact(message))}")

    def note(self, message: str) -> None:
        """Print what is worth knowing."""
        if not self.as_json:
            self.err.print(f"[dim]{escape(redact(message))}[/]")

    def alarm(self, message: str) -> None:
        """Print what a signal does, also beside JSON; the terminal may be gone, or without its cursor."""
        with contextlib.suppress(OSError):
            self.err.show_cursor()
            self.err.print(escape(message))

    def hint(self, message: str) -> None:
        """Print what a person may do next; nothing where nobody watches."""
        if self.err.is_terminal:
            self.note(message)

    def pairs(self, title: str, values: dict[str, Any]) -> None:
        """Print names and values in two columns."""
        table = Table(title=title, show_header=False, title_justify="left", title_style="bold")
        table.add_column(style="cyan", overflow="fold")
        table.add_column(overflow="fold")  # a narrow terminal breaks a date; it does not cut it off
        for name, value in values.items():
            table.add_row(name, escape(redact(str(value))))
        self.out.print(table)

    def report(self, report: dict[str, Any]) -> None:
        """Print the closing table of a run."""
        counts = " · ".join(f"{report[name]:,} {name}" for name in ("added", "changed", "removed", "unchanged"))
        things, chunks = ("media", "rows") if report["part"] == "media" else ("documents", "chunks")
        rows = {
            things: counts,
            chunks: f"{report['chunks']:,} written · {report['embedded']:,} embedded · {report['reused']:,} reused",
            "tokens": f"{report['tokens']:,} in {counted(report['requests'], 'request')}",
            "cost": f"${report['cost_usd']:.4f}",
            **_times(report),
            "table": f"{report['table']} version {report['table_version']}",
            "run": report["run_id"],
        }
        rows |= _left_out(report)
        title = f"{report['index']}: media" if report["part"] == "media" else report["index"]
        self.pairs(f"{title}: {report['status']}", rows)
        self.reasons(report["reasons"], failed=report["failed"], warned=report["warned"])
        for note in report["notes"]:
            self.err.print(f"[yellow]{escape(redact(note))}[/]")
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
        if plan.get("priced_on") and plan["cost_usd"] is not None:
            cost += f" (price of {plan['priced_on']})"
        names = ("added", "changed", "removed", "unchanged")
        most = "up to " if plan.get("guessed") and plan["tokens"] else ""
        rows = {
            "documents": " · ".join(f"{plan[name]:,} {name}" for name in names),
            "chunks": f"{plan['chunks']:,} to write · {plan['reused']:,} with a vector in the cache",
            "to embed": f"{most}{counted(plan['tokens'], 'token')} in {counted(plan['requests'], 'request')}",
            "cost": f"{most}{cost}" if plan["cost_usd"] is not None else cost,
        }
        if plan.get("guessed"):
            rows["a guess"] = f"{plan['guessed']:,} pictures are at addresses that nobody has asked yet"
        rows |= _left_out(plan, hint="")
        if plan["free_tokens"]:
            rows["free"] = f"{plan['free_tokens']:,} of the tokens are covered by {section}.free_tokens"
        title = f"{plan['index']}: {part}" + (" (rebuild: another model)" if plan["rebuild"] else "")
        self.pairs(title, rows)
        self.reasons(plan["reasons"], failed=plan["failed"], warned=plan["warned"])
        for note in plan["notes"]:
            self.note(note)
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
            "search indexes": ", ".join(done["indexes"]) or "none",
            "failures": f"{done['failures']:,}, {done['retryable']:,} of which may pass by themselves",
        }
        if done["thumbnails"]:
            rows["thumbnails"] = f"{done['thumbnails']:,} dropped"
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

    def reasons(self, groups: Sequence[dict[str, Any]], *, failed: int, warned: int) -> None:
        """Print the most frequent reasons of failures, then of warnings, each with its first documents."""
        for indexed, total in ((False, failed), (True, warned)):
            shown = [group for group in groups if group["indexed"] is indexed][:_SHOWN_REASONS]
            for group in shown:
                self.reason(group)
            if left := total - sum(group["documents"] for group in shown):
                self.out.print(f"  … and {left:,} more")

    def reason(self, group: dict[str, Any], more: str = "") -> None:
        """Print why documents failed, once, and which; `more` says how the rest of them are listed."""
        mark, count, uris = "[yellow]![/]" if group["indexed"] else "[red]✗[/]", group["documents"], group["uris"]
        names, why = [escape(visible(uri, line=True)) for uri in uris], escape(redact(group["reason"]))
        if count == 1 and names:
            self.out.print(f"  {mark} {names[0]}: {why}")
            return
        self.out.print(f"  {mark} {counted(count, 'document')}: {why}")
        for name in names:
            self.out.print(f"      {name}")
        if left := count - len(names):
            self.out.print(f"      [dim]… and {left:,} more{more}[/]")

    def hits(self, hits: list[dict[str, Any]], *, first: int = 1) -> None:
        """Print search results, best first, with the words of the question in bold."""
        if not hits:
            self.out.print("no hits")
        for rank, hit in enumerate(hits, start=first):
            where = ", ".join(
                part for part in (visible(hit["uri"], line=True), pages(hit["page"], hit["page_end"])) if part
            )
            path = " › ".join(hit["heading_path"])
            self.out.print(
                f"[bold]{rank}. {escape(where)}[/]  [dim]{hit['relevance']:.2f}[/]  {escape(path or hit['title'])}"
            )
            self._explained(hit)
            self.out.print(passage(hit, indent=3))
            for other in hit["chunks"]:
                path = " › ".join(other["heading_path"])
                self.out.print(f"   [dim]+ {other['relevance']:.2f}[/]  {escape(path or other['title'])}")
                self.out.print(passage(other, indent=5))
            if left := hit["further"] - len(hit["chunks"]):
                self.out.print(f"   [dim]… and {left:,} more of this document[/]")

    def media_hits(self, hits: list[dict[str, Any]], *, first: int = 1) -> None:
        """Print images and videos, best first."""
        if not hits:
            self.out.print("no images or videos found")
        for rank, hit in enumerate(hits, start=first):
            size = f"{hit['width']}×{hit['height']}" if hit["width"] else ""
            length = f"{hit['duration_s']:.1f} s" if hit["duration_s"] else ""
            gone = f"[yellow]gone, last seen on {hit['last_seen'][:10]}[/]" if hit.get("last_seen") else ""
            parts = (hit["kind"], size, length, moment(hit["moment_s"], hit["moment_end_s"]), gone)
            what = " ".join(part for part in parts if part)
            self.out.print(
                f"[bold]{rank}. {escape(visible(hit['url'], line=True))}[/]  [dim]{hit['relevance']:.2f}[/]  {what}"
            )
            self._explained(hit)
            words = marked(hit["caption"], hit["highlights"]) if hit["caption"] else Text(hit["title"])
            where = " › ".join(hit["heading_path"])
            if words or where:
                self.out.print(Text("   ") + Text(" · ").join(part for part in (words, Text(where)) if part))
            if hit["also"]:
                others = ", ".join(visible(uri, line=True) for uri in hit["also"][:_SHOWN_PLACES])
                left = len(hit["also"]) - _SHOWN_PLACES
                more = f" and {left:,} more" if left > 0 else ""
                self.out.print(f"   [dim]also {escape(others)}{more}[/]")
            if hit["last_seen"]:
                self.out.print(f"   [dim]gone; last seen {escape(hit['last_seen'])}[/]")

    def _explained(self, hit: dict[str, Any]) -> None:
        """Print where a hit's place comes from, if it says so."""
        if told := hit["explained"]:
            score = f"score {hit['score']:.3f} · "
            named = {"dense": "cosine", "full-text": "bm25", "sparse": "sparse"}
            out = {mode: f", {value:+.1f}σ" for mode, value in told["deviations"].items()}
            parts = [
                f"{mode} {rank}. ({told[named[mode]]:.3f}{out.get(mode, '')})" for mode, rank in told["ranks"].items()
            ]
            parts += [f"{name} {told[name]:.3f}" for name in ("fused", "rerank") if told[name] is not None]
            self.out.print(f"   [dim]{score}{' · '.join(parts)}[/]")

    @contextlib.contextmanager
    def progress(self, index: str, handle: RunHandle) -> Generator[None]:
        """Show how far a run is: a bar on a terminal, else a line every twenty seconds; nothing beside JSON."""
        pace = Pace(index)
        handle.on_progress = pace.take
        if self.as_json:
            yield
        elif self.err.is_terminal:
            with bar(self.err, pace) as self._bar:
                yield
        else:
            with lines(self.note, pace):
                yield


def _times(report: dict[str, Any]) -> dict[str, str]:
    """Say how long a run took, and what of it each stage: these add up."""
    if "total" not in report["seconds"]:
        return {}
    parts = " · ".join(f"{stage} {spent:.2f}" for stage, spent in report["wall"].items())
    return {"took": f"{report['seconds']['total']:.2f} s", "stages": f"{parts} s"}


def _left_out(counts: dict[str, Any], hint: str = " (relance failures)") -> dict[str, str]:
    """Say how much of what the sources have is not in the index."""
    rows = {}
    if counts.get("failed"):
        rows["failures"] = f"{counts['failed']:,}{hint}"
    if counts.get("warned"):
        rows["warnings"] = f"{counts['warned']:,}{hint}"
    if counts.get("empty"):
        rows["without text"] = f"{counts['empty']:,}"
    if counts.get("ignored"):
        rows["ignored"] = "\n".join(ignored_lines(counts["ignored"]))
    return rows
