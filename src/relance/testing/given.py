"""What the contracts of plug-ins that a spec names share: the plug-in, as it is given to an index."""

from __future__ import annotations

from typing import Any, ClassVar

from relance.config.plugins import Group, Plugins

__all__ = ["GivenPlugin"]


class GivenPlugin:
    """Says which plug-in a contract is about.

    Attributes:
        group: of the plug-in.
        plugin: the class that the entry point names; None where it is installed.
    """

    group: ClassVar[Group]
    plugin: ClassVar[Any] = None

    def plugins(self, name: str) -> Plugins:
        """Return what names mean when the plug-in goes by this one."""
        return Plugins.of({self.group: {name: self.plugin} if self.plugin else None})
