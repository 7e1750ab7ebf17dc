"""Which keys are documents: patterns and policies as a folder has them, asked of keys in the order of a listing."""

from __future__ import annotations

from collections.abc import Callable

from relance.sources.ignore import Rules
from relance.sources.walk import VERSION_CONTROL, is_table

__all__ = ["KeyFilter"]


class KeyFilter:
    """Says of a path below the source's folder why it is ignored, and how far up that reaches.

    Keys of a folder follow each other in a listing, so what was found for the last folder is remembered.
    """

    def __init__(self, exclude: list[str], refusal: Callable[[str], str], *, hidden: bool) -> None:
        """Compile the patterns; `refusal` says why a file by such a name is not read."""
        self._exclude = Rules(exclude, strict=True)
        self._refusal, self._hidden = refusal, hidden
        self._folder: tuple[str, str, str] = ("", "", "")

    def verdict(self, path: str) -> tuple[str, str]:
        """Return what is ignored (the path, or a folder of it, with `/`) and why; why is empty for a document.

        Of what nobody has to hear of (a version control's folder), both are empty but the path is not a document:
        then the reason is a blank.
        """
        cut = path.rfind("/") + 1
        if self._folder[0] != path[:cut]:
            self._folder = (path[:cut], *self._of_folder(path[:cut]))
        _, ignored, reason = self._folder
        if reason:
            return ignored, reason
        name = path[cut:]
        if name in VERSION_CONTROL:
            return path, " "
        if reason := self._rule(name, path):
            return path, reason
        return path, self._refusal(path)

    def _of_folder(self, folder: str) -> tuple[str, str]:
        at = 0
        while (slash := folder.find("/", at)) >= 0:
            name, here = folder[at:slash], folder[: slash + 1]
            if name in VERSION_CONTROL:
                return here, " "
            reason = "LanceDB table" if is_table(name) else self._rule(name, here)
            if reason:
                return here, reason
            at = slash + 1
        return "", ""

    def _rule(self, name: str, path: str) -> str:
        if name.startswith(".") and not self._hidden:
            return "hidden"
        return "in exclude" if self._exclude and self._exclude.verdict(path) else ""
