"""Where the command line begins."""

from __future__ import annotations

import signal

__all__ = ["main"]


def main() -> None:
    """Run the command line. Until it is there, which takes a second, Ctrl-C ends the process without a traceback."""
    quiet = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # else it is ignored, as in the background
    if quiet:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from relance.cli.main import main as run

    if quiet:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


if __name__ == "__main__":
    main()
