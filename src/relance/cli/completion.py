"""The command that lets a shell complete commands and options."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from relance.cli.options import DONE, AsJson
from relance.cli.terminal import Terminal
from relance.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cyclopts import App

__all__ = ["completion_of"]

Shell = Literal["bash", "zsh", "fish", "powershell"]
_AGAIN = {"bash": "source ~/.bashrc", "zsh": "exec zsh", "fish": "exec fish", "powershell": ". $PROFILE"}


def completion_of(app: App) -> Callable[..., int]:
    """Return the command that installs the completion of an app."""

    def completion(
        shell: Annotated[Shell | None, Parameter(show_default=False)] = None,
        *,
        output: Path | None = None,
        json: AsJson = False,
    ) -> int:
        """Install completion of commands, options and files for your shell.

        It writes the script where the shell looks for it, and a line that loads it into ~/.bashrc, ~/.zshrc or the
        profile of PowerShell. It is to be run again after an upgrade of relance.

        Parameters
        ----------
        shell
            The shell; by default the one that runs this command.
        output
            File to write the script to, and nothing else.
        """
        chosen = shell or _running_shell()
        where = app.install_completion(shell=chosen, output=output, add_to_startup=output is None)
        if json:
            Terminal(as_json=True).json({"shell": chosen, "script": str(where)})
            return DONE
        terminal = Terminal()
        terminal.say(f"wrote {where}")
        terminal.note(
            f"it works in a new shell, or after: {_AGAIN[chosen]}" if output is None else f"load it in {chosen}"
        )
        return DONE

    return completion


def _running_shell() -> Shell:
    from cyclopts.completion.detect import ShellDetectionError, detect_shell

    try:
        return detect_shell()
    except ShellDetectionError:
        msg = "it does not show which shell this is; name it: relance completion bash, zsh, fish or powershell"
        raise InputError(msg) from None
