"""Plug-ins: sources, parsers, chunkers, providers and rerankers, found by entry points; ours like anybody's."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from importlib.metadata import Distribution, EntryPoint, entry_points
from typing import Any, Literal, Self, get_args

from relance.config.foreign_models import our_name
from relance.errors import ConfigurationError

__all__ = ["GROUPS", "Group", "Plugin", "Plugins", "load_plugin", "loaded_plugins", "plugins"]

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


@dataclass(slots=True, frozen=True)
class Plugins:
    """What the names of one index mean: the plug-ins that were given to it come before the installed ones.

    Attributes:
        given: group → name → a class, or an instance that is used as it is.
    """

    given: Mapping[Group, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, given: Mapping[Group, Mapping[str, Any] | None]) -> Self:
        """Put groups together, of which some may have nothing."""
        return cls({group: dict(named) for group, named in given.items() if named})

    def names(self, group: Group) -> list[str]:
        """List the names of a group."""
        return sorted({*plugins(group), *self.given.get(group, {})})

    def find(self, group: Group, name: str) -> Any:
        """Return what goes by a name; ConfigurationError if there is none, or it does not import."""
        given = self.given.get(group, {})
        return given[name] if name in given else load_plugin(group, name)

    def model(self, group: Group, name: str) -> Any:
        """Return what a `provider/model` belongs to; ConfigurationError if there is no such model.

        A plug-in lists the models it knows in `models`, and says in `any_model` whether there may be others (the
        default).
        """
        provider, _, model = name.partition("/")
        if provider in self.names(group):
            plugin = self.find(group, provider)
            known = getattr(plugin, "models", ())
            # `cross-encoder:NAME` is a `cross-encoder`.
            if getattr(plugin, "any_model", True) or model in known or model.partition(":")[0] in known:
                return plugin
        kind = "reranker" if group == "rerankers" else "model"
        raise ConfigurationError(f"there is no {kind} {name!r}; {self._hint(group, name)}")

    def loaded(self, group: Group) -> dict[str, Any]:
        """Return all of a group that import; the others cost a line of warning each."""
        return {**loaded_plugins(group), **self.given.get(group, {})}

    def _hint(self, group: Group, name: str) -> str:
        """Say which model was probably meant, or which there are."""
        plugins = self.loaded(group)
        known = [
            f"{provider}/{model}" for provider, plugin in plugins.items() for model in getattr(plugin, "models", ())
        ]
        if group == "providers" and (meant := our_name(name, known)):
            return meant
        # The provider may be what is misspelt ("locall/wordllama") or left out ("models/wordllama"): compare both ways.
        names = {each: each for each in known} | {each.partition("/")[2]: each for each in known}
        close = get_close_matches(name, names, 1, 0.7) or get_close_matches(name.partition("/")[2], names, 1, 0.7)
        if close:
            return f"did you mean {names[close[0]]}?"
        open_ended = {provider for provider, plugin in plugins.items() if getattr(plugin, "any_model", True)}
        there = [each for each in known if each.partition("/")[0] not in open_ended]
        there += [f"{provider}/MODEL" for provider in sorted(open_ended)]
        return f"there are {', '.join(there[:-1])} and {there[-1]}."


@cache
def plugins(group: Group) -> Mapping[str, Plugin]:
    """List the installed plug-ins of a group by name; ours keep their names against others'."""
    found: dict[str, Plugin] = {}
    for entry in _entries().select(group=f"relance.{group}"):
        package, version = _package(entry.dist)
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


@cache
def _package(distribution: Distribution | None) -> tuple[str, str]:
    """Return name and version; the metadata, with the whole README, are parsed once for all entry points of them."""
    if distribution is None:
        return "?", "?"
    metadata = distribution.metadata
    return metadata["Name"], metadata["Version"]


@cache
def _entries() -> Any:
    return entry_points()  # reads a file of every installed distribution: once for all groups
