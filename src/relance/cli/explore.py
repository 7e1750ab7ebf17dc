"""The command that shows an index in a browser."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter

from relance.cli.ending import interrupting
from relance.cli.options import DONE, As, AsJson, AsOwner, Port, Specs, index_as, named
from relance.cli.terminal import Terminal

__all__ = ["explore"]


def explore(
    specs: Specs = [],  # noqa: B006  # never changed
    *,
    port: Port = 8780,
    open_browser: Annotated[bool, Parameter(name="--open", negative="")] = False,
    principals: As = None,
    as_owner: AsOwner = False,
    json: AsJson = False,
) -> int:
    """Open indexes in a browser: search, documents, pictures, map, failures and runs.

    The page is served on 127.0.0.1, to whoever has the address that is printed, with its token. Nothing is indexed or
    removed by it.

    Parameters
    ----------
    open_browser
        Open the page in the browser.
    """
    from relance.explore import ExploreConfig, serve

    terminal = Terminal(as_json=json)

    def ready(address: str) -> None:
        if json:
            terminal.json({"url": address})
            sys.stdout.flush()  # whoever reads it waits for it
        else:
            terminal.say(f"open {address}", whole=True)
            terminal.note("Ctrl-C ends it")
        if open_browser:
            import webbrowser

            webbrowser.open(address)

    first, *more = [index_as(spec, principals, owner=as_owner) for spec in named(specs)]
    with interrupting():
        serve(first, ExploreConfig(port=port), *more, ready=ready)
    return DONE
