"""The command line: the commands in their groups, and what becomes of errors."""

from __future__ import annotations

import errno
import logging
import sys
from shlex import quote

from cyclopts import App, CycloptsError, Group, Parameter
from cyclopts.exceptions import UnusedCliTokensError

from relance import __version__
from relance.cli import COMMANDS
from relance.cli.completion import completion_of
from relance.cli.encoding import allow_every_character
from relance.cli.options import DONE, FAILED, USAGE
from relance.cli.terminal import Terminal
from relance.errors import ConfigurationError, InputError, RelanceError, whole_text
from relance.safe_text import protect_logs
from relance.telemetry.start import start_telemetry

__all__ = ["app", "main"]


def _default(value: object) -> str | None:
    """Write a default as it is typed; None, which is not shown, where it is nothing: no text, no flag, zero."""
    return (f"{value:g}" if isinstance(value, float) else str(value)) if value else None


app = App(
    name="relance",
    default_parameter=Parameter(show_default=_default),
    help="Keep a LanceDB index in sync with its sources.",
    version=__version__,
    result_action="return_value",
    suppress_keyboard_interrupt=False,  # it would exit without a word; main says what became of the run
    help_epilogue=(
        "SPEC is an index file, or the folder that holds an index.yaml; without it, this folder.\n\n"
        "Exit codes: 0 done, 1 failed or stopped, 2 wrong usage or spec, 3 done with failures, "
        "4 changes are waiting (plan --detailed-exitcode)."
    ),
)
_EXAMPLE = "Example: {}"
_FULL = {errno.ENOSPC, errno.EDQUOT}


def _register(of: App) -> None:
    groups = COMMANDS | {"Reference": [*COMMANDS["Reference"], (completion_of(of), "relance completion")]}
    for place, (title, commands) in enumerate(groups.items()):
        group = Group(title, sort_key=place)
        for number, (command, example) in enumerate(commands):
            of.command(command, group=group, sort_key=number, help_epilogue=_EXAMPLE.format(example))
    options = Group("Options", sort_key=len(groups))
    for flag in ("--help", "--version"):
        of[flag].group = options


_register(app)


def _from_outside(error: Exception) -> str | None:
    """Say what failed outside of this program: a disk, a connection, the Prefect server; None where it is a bug."""
    if isinstance(error, OSError) and error.filename is not None:  # a full disk, a folder that may not be written
        advice = "; let this user read and write there, or name another place" if error.errno == errno.EACCES else ""
        return f"{error.filename}: {error.strerror}{advice}"
    if isinstance(error, OSError) and error.errno in _FULL:  # found while writing, which knows no name any more
        return f"{error.strerror}; free some where the store, temporary files and the output are (df -h), and run again"
    package = type(error).__module__.partition(".")[0]
    if not (isinstance(error, ConnectionError | TimeoutError) or package in {"httpx", "httpcore", "prefect"}):
        return None
    said = " ".join(str(error).split()) or type(error).__name__
    who = "the Prefect server" if package == "prefect" else "a connection"
    return f"{who} failed ({said}); is the server up, and is PREFECT_API_URL right? Then run the command again"


def _usage(error: CycloptsError) -> str:
    """Say what is wrong with the arguments, and where the right ones are listed."""
    if isinstance(error, UnusedCliTokensError):
        surplus = " ".join(quote(each) for each in error.unused_tokens or ())
        text = f"there is nothing that {surplus} could be; a question of several words needs quotes around it"
    else:
        text = str(error).removesuffix(".")
    command = " ".join(["relance", *(error.command_chain or ())])
    return f"{text}\nsee: {command} --help"


def main(arguments: list[str] | None = None) -> None:
    """Run a command and exit with its code; a user's mistake is one message, never a traceback."""
    terminal = Terminal()
    logging.getLogger("stamina").setLevel(logging.ERROR)  # it would write a line for each request that is tried again
    allow_every_character()
    protect_logs()
    try:
        start_telemetry()
        code = app(arguments, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        terminal.problem(_usage(error))
        code = USAGE
    except (ConfigurationError, InputError) as error:
        terminal.problem(whole_text(error))
        code = USAGE
    except RelanceError as error:
        terminal.problem(whole_text(error))
        code = FAILED
    except KeyboardInterrupt:
        terminal.problem("interrupted; what was committed stays, run again to continue")
        code = FAILED
    except BrokenPipeError:
        code = FAILED
    except RuntimeError as error:  # a table that is hurt, found while it is searched
        from relance.store.faults import is_of_lance, store_error

        if not is_of_lance(error):
            raise
        terminal.problem(str(store_error(error, "reading or writing a table")))
        code = FAILED
    except Exception as error:
        if (text := _from_outside(error)) is None:
            raise
        terminal.problem(text)
        code = FAILED
    sys.exit(code if isinstance(code, int) else DONE)


if __name__ == "__main__":
    main()
