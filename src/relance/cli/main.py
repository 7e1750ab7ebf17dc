"""The command line.

Exit codes: 0 done, 1 failed or stopped, 2 wrong usage or spec, 3 finished with failures.
"""

from __future__ import annotations

import logging
import sys

from cyclopts import App, CycloptsError

from relance import __version__
from relance.cli import COMMANDS
from relance.cli.options import DONE, FAILED, USAGE
from relance.cli.terminal import Terminal
from relance.errors import ConfigurationError, InputError, RelanceError
from relance.safe_text import protect_logs
from relance.telemetry.start import start_telemetry

__all__ = ["app", "main"]

app = App(
    name="relance",
    help="Keep a LanceDB index in sync with its sources.",
    version=__version__,
    result_action="return_value",
    suppress_keyboard_interrupt=False,  # it would exit without a word; main says what became of the run
)
for command in COMMANDS:
    app.command(command)


def main(arguments: list[str] | None = None) -> None:
    """Run a command and exit with its code; a user's mistake is one message, never a traceback."""
    terminal = Terminal()
    logging.getLogger("stamina").setLevel(logging.ERROR)  # it would write a line for each request that is tried again
    protect_logs()
    try:
        start_telemetry()
        code = app(arguments, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        terminal.problem(f"{error}\nsee `relance --help`")
        code = USAGE
    except (ConfigurationError, InputError) as error:
        terminal.problem(str(error))
        code = USAGE
    except RelanceError as error:
        terminal.problem(str(error))
        code = FAILED
    except KeyboardInterrupt:
        terminal.problem("interrupted; what was committed stays, run again to continue")
        code = FAILED
    except BrokenPipeError:
        code = FAILED
    except RuntimeError as error:  # a table that is hurt, found while it is searched
        if "lance" not in str(error):
            raise
        from relance.store.faults import store_error

        terminal.problem(str(store_error(error, "reading or writing a table")))
        code = FAILED
    except OSError as error:  # a full disk, a folder that may not be written
        if error.filename is None:
            raise
        terminal.problem(f"{error.filename}: {error.strerror}")
        code = FAILED
    sys.exit(code if isinstance(code, int) else DONE)


if __name__ == "__main__":
    main()
