"""The command that gives an index another model, or another way to split, without a gap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from relance.cli.ending import until_signalled
from relance.cli.options import DONE, FAILED, HERE, AsJson, Spec, without_effect
from relance.cli.terminal import Terminal
from relance.errors import RejectedError
from relance.pipeline.run_handle import RunHandle

if TYPE_CHECKING:
    from relance.reembed import Outcome

__all__ = ["ending", "reembed", "show_outcome"]

Switch = Parameter(negative="")
_SETTLED = {"up to date", "switched", "switched back"}


def reembed(spec: Spec = HERE, *, plan: Annotated[bool, Switch] = False, yes: Annotated[bool, Switch] = False,
            switch: Annotated[bool, Switch] = False, back: Annotated[bool, Switch] = False, wait: float = 0.0,
            json: AsJson = False) -> int:  # fmt: skip
    """Rebuild the index with the model and splitting of its spec, beside the tables in use, then switch to it.

    Readers and ingests go on meanwhile. Where the spec has a `gate`, old and new are compared by golden queries first;
    exit code 1 if the new tables are held back.

    Parameters
    ----------
    plan
        Only show what it would do and cost.
    yes
        Approve what it costs and removes beyond `limits`, and switch without a comparison where the spec has no gate.
    switch
        Switch whatever the gate says: also to what was held back.
    back
        Let readers use the tables again that served before the last switch.
    wait
        Seconds to wait for another run on this index.
    """
    from relance import reembed as work
    from relance.config.load import load_spec

    terminal, handle, declared = Terminal(as_json=json), RunHandle(), load_spec(spec)
    if back:
        without_effect({"--plan": plan, "--yes": yes, "--switch": switch}, "with --back")
        return ending(terminal, work.switch_back(declared, wait_s=wait))
    if plan:
        without_effect({"--yes": yes, "--switch": switch}, "with --plan")
        made = work.plan(declared, handle=handle)
        if made is None:
            terminal.json({"index": declared.name, "up_to_date": True}) if json else terminal.say(
                f"{declared.name}: model and splitting are as the spec says"
            )
        else:
            terminal.json(made.as_dict()) if json else terminal.plan(made.as_dict())
        return DONE
    if terminal.asks():
        handle.approve = lambda preview: terminal.approve(preview.reasons, preview.plan.as_dict())
    try:
        with terminal.progress(declared.name, handle):
            outcome = until_signalled(
                lambda: work.reembed(declared, approved=yes, regardless=switch, wait_s=wait, handle=handle),
                stop=handle.stop.set, record=lambda: None, say=terminal.alarm,
            )  # fmt: skip
    except RejectedError as rejected:
        terminal.problem(str(rejected))
        return FAILED
    return ending(terminal, outcome)


def ending(terminal: Terminal, outcome: Outcome) -> int:
    """Show what came of it; returns the exit code."""
    terminal.json(outcome.as_dict()) if terminal.as_json else show_outcome(terminal, outcome)
    return DONE if outcome.status in _SETTLED else FAILED


def show_outcome(terminal: Terminal, outcome: Outcome) -> None:
    """Print the comparison, and what came of it."""
    from relance.cli.evaluation_tables import show

    if outcome.verdict is not None:
        show(terminal, outcome.verdict.comparison, [])
    values = outcome.as_dict()
    total, rows = values["total"], dict[str, Any]()
    if outcome.reports:
        rows["chunks"] = f"{total['chunks']:,} written · {total['embedded']:,} embedded · {total['reused']:,} reused"
        rows["tokens"] = f"{total['tokens']:,} in {total['requests']:,} requests"
        rows["cost"] = f"${total['cost_usd']:.4f}"
    rows |= {"in use": outcome.table, "beside": outcome.beside or "nothing"}
    rows["seconds"] = f"{outcome.seconds:.2f}" + (
        f", {outcome.switch_s:.2f} for the switch" if outcome.switch_s else ""
    )
    terminal.pairs(f"{outcome.index}: {outcome.status}", rows)
    terminal.say(outcome.told) if outcome.status in _SETTLED else terminal.problem(outcome.told)
