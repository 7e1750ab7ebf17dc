"""Links from a page to the files that documents were read from, which work wherever page and files lie together."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from urllib.parse import quote

from relance.config import IndexSpec
from relance.sources.local_files import LocalFiles

__all__ = ["FileLinks"]


class FileLinks:
    """Writes links that are relative to the folder of a page.

    Attributes:
        too_far: whether files have no link because they have nothing but the root in common with the page: a link would
            be their whole path on this machine.
    """

    def __init__(self, spec: IndexSpec, folder: Path | str) -> None:
        self._files, self._folder = LocalFiles(spec), os.path.realpath(folder)
        self._to = cache(self._link)
        self.too_far = False

    def to(self, uri: str) -> str:
        """Link to the file of a document, or to the table it is a row of; empty where there is no such file.

        Everything but letters, digits and `_.-~/` is percent-encoded, so that no link has a scheme.
        """
        ends = [len(uri), *(at for at in range(len(uri) - 1, 0, -1) if uri[at] == "#")]
        return next((link for end in ends if (link := self._to(uri[:end]))), "")

    def _link(self, path: str) -> str:
        file = self._files.find(path)
        if file is None:
            return ""
        try:
            common = Path(os.path.commonpath([file, self._folder]))
        except ValueError:  # two drives
            common = Path(file.anchor)
        if common == Path(common.anchor):
            self.too_far = True
            return ""
        return quote(Path(os.path.relpath(file, self._folder)).as_posix().encode("utf-8", "surrogateescape"))
