"""The pages of the site: docs/, what lies outside of it, and what is made of the code, ready to be rendered.

`python docs/from_code/stage.py FOLDER` writes them into FOLDER; `just docs` does it and renders them.
"""

from __future__ import annotations

import posixpath
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import commands_page
import environment_page
import errors_page
import events_page
import metrics_page
import python_page
import spec_page

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

MADE: dict[str, Callable[[], str]] = {
    "reference/spec.md": spec_page.page,
    "reference/commands.md": commands_page.page,
    "reference/python.md": python_page.page,
    "reference/metrics.md": metrics_page.page,
    "reference/events.md": events_page.page,
    "reference/errors.md": errors_page.page,
    "reference/environment.md": environment_page.page,
}
# Pages that people also look for where they are.
OUTSIDE = {
    "CHANGELOG.md": "project/changes.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "examples/README.md": "project/examples.md",
    "infra/README.md": "operate/containers.md",
    "README.md": "index.md",
}
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
_FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


def stage(folder: Path) -> None:
    """Write all pages into a folder, which is emptied before; raises LookupError for a link that leads nowhere."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(DOCS, folder, ignore=shutil.ignore_patterns(Path(__file__).parent.name))
    origins = {path.relative_to(DOCS).as_posix(): path for path in DOCS.rglob("*.md")}
    origins |= {uri: ROOT / name for name, uri in OUTSIDE.items() if name != "README.md"}
    for uri, origin in origins.items():
        _write(folder / uri, lead_links(origin.read_text(encoding="utf-8"), origin, uri))
    for uri, make in MADE.items():
        _write(folder / uri, make())


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def lead_links(markdown: str, origin: Path, uri: str) -> str:
    """Lead links to where their files are in the site; of a file that is not in it, only the path is shown."""
    parts = _FENCE.split(markdown)  # every second one is code
    parts[::2] = [_LINK.sub(lambda link: _lead(link, origin, uri), part) for part in parts[::2]]
    return "".join(parts)


def _lead(link: re.Match[str], origin: Path, uri: str) -> str:
    picture, words, target = link.groups()
    path, mark, anchor = target.partition("#")
    if not path or ":" in path:
        return link[0]
    there = Path(posixpath.normpath((origin.parent / path).as_posix()))
    name = there.relative_to(ROOT).as_posix() if there.is_relative_to(ROOT) else ""
    if there.is_relative_to(DOCS):
        site = there.relative_to(DOCS).as_posix()
    elif name in OUTSIDE:
        site = OUTSIDE[name]
    elif there.exists():  # a file of the repository: the site does not hold it
        return f"`{name}`" if name.endswith(words.strip("`")) else f"{words} (`{name}`)"
    else:
        msg = f"{origin}: the link to {target} leads nowhere"
        raise LookupError(msg)
    return f"{picture}[{words}]({posixpath.relpath(site, posixpath.dirname(uri) or '.')}{mark}{anchor})"


if __name__ == "__main__":
    stage(Path(sys.argv[1]))
