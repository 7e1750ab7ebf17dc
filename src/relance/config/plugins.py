"""Plug-ins: sources, parsers, chunkers, providers and rerankers, found by entry points; ours like anybody's."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, get_args

from relance.errors import ConfigurationError

__all__ = ["GROUPS", "Group", "Plugin", "load_plugin", "loaded_plugins", "plugins"]

Group = Literal["sources", "parsers", "chunkers", "providers", "rerankers"]
GROUPS: tuple[Group, ...] = get_args(Group)

_OURS = "relance"
_log = logging.getLogger("relance")


@dataclass(slots=True, frozen=True)
class Plugin:
    """One name in one group, not imported yet.

    Attributes:
        group: such as `sources`.
        name: what a spec calls it.
        package: the distribution that brings it.
        package_version: of that distribution.
    """

    group: Group
    name: str
    package: str
    package_version: str
    entry: EntryPoint

    def load(self) -> Any:
        """Import its class; ConfigurationError in one line if that fails."""
        try:
            return self.entry.load()
        except Exception as error:  # somebody else's module may raise anything while it is imported
            reason = " ".join(str(error).split()) or type(error).__name__
            what = f"the {self.group} plug-in {self.name!r} of {self.package} {self.package_version}"
            raise ConfigurationError(f"{what} does not import: {reason}") from error


@cache
def plugins(group: Group) -> Mapping[str, Plugin]:
    """List the installed plug-ins of a group by name; ours keep their names against others'."""
    found: dict[str, Plugin] = {}
    for entry in entry_points(group=f"relance.{group}"):
        package, version = (entry.dist.name, entry.dist.version) if entry.dist else ("?", "?")
        known = found.get(entry.name)
        if known and known.package != package:
            loser = known.package if package == _OURS else package
            _log.warning(
                "%s: the %s plug-in %r is there already; that of %s is not used", loser, group, entry.name, loser
            )
        if known is None or package == _OURS:
            found[entry.name] = Plugin(group, entry.name, package, version, entry)
    return dict(sorted(found.items()))


def load_plugin(group: Group, name: str) -> Any:
    """Import the class that goes by a name; ConfigurationError if there is none, or it does not import."""
    plugin = plugins(group).get(name)
    if plugin is None:
        msg = f"there is no plug-in {name!r} among the {group}; installed are {', '.join(plugins(group))}"
        raise ConfigurationError(msg)
    return plugin.load()


@cache
def loaded_plugins(group: Group) -> Mapping[str, Any]:
    """Import all classes of a group; one that does not import costs a line of warning, and is left out."""
    loaded: dict[str, Any] = {}
    for name, plugin in plugins(group).items():
        try:
            loaded[name] = plugin.load()
        except ConfigurationError as error:
            _log.warning("%s", error)
    return loaded
