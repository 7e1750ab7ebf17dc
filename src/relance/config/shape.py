"""What may stand where in an index file, with the sections of the plug-ins that it names."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

from pydantic import BaseModel

from relance.config.index import IndexSpec
from relance.config.plugin_section import PluginOptions, PluginSection, options_model
from relance.config.plugins import Plugins

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from relance.config.tree import Position

__all__ = ["Place", "Shape"]

Marked = tuple[type[BaseModel], PluginSection | None]


@dataclasses.dataclass(slots=True)
class Place:
    """What stands at a position.

    Attributes:
        value: of the file.
        field: it belongs to; entries of a list or of free keys belong to the whole field's. None at the top.
        sections: models of sections that may stand here, with what gives them to a plug-in.
        options: where the keys here are names of plug-ins.
        free: whether the keys here are anything, and the sections stand behind them.
    """

    value: Any
    field: FieldInfo | None = None
    sections: list[Marked] = dataclasses.field(default_factory=list)
    options: PluginOptions | None = None
    free: bool = False


class Shape:
    """The places of one file.

    Args:
        data: of the file.
        plugins: what the names in it mean.
    """

    def __init__(self, data: Any, plugins: Plugins) -> None:
        self.plugins = plugins
        self._data = data

    def place(self, position: Position) -> Place | None:
        """Find what stands at a position; None where nothing may."""
        place = Place(self._data, sections=[(IndexSpec, None)])
        for part in position:
            value = _child(place.value, part)
            if place.options is not None:
                model = options_model(place.options.group, str(part), self.plugins)
                if model is None:
                    return None
                place = Place(value, place.field, [(model, None)])
            elif isinstance(part, int) or place.free or (place.field and not place.sections):
                place = Place(value, place.field, place.sections)
            else:
                known = next(
                    (model.model_fields[part] for model in self._models(place) if part in model.model_fields), None
                )
                if known is None:
                    return None
                options = next((mark for mark in known.metadata if isinstance(mark, PluginOptions)), None)
                sections = [] if options else list(_sections(known.annotation, known.metadata))
                free = bool(sections) and get_origin(known.annotation) is dict
                place = Place(value, known, sections, options, free)
        return place

    def field(self, position: Position) -> FieldInfo | None:
        """Find the field that a value belongs to."""
        place = self.place(position)
        return place.field if place else None

    def models(self, position: Position) -> list[type[BaseModel]]:
        """Find the models that may stand at a position."""
        place = self.place(position)
        return self._models(place) if place else []

    def keys(self, position: Position) -> list[str]:
        """List the keys that a section at a position may have."""
        place = self.place(position)
        if place is None:
            return []
        if place.options is not None:
            return self.plugins.names(place.options.group)
        if place.free:
            return []
        return [name for model in self._models(place) for name in model.model_fields if name != "folder"]

    def plugin_sections(
        self, position: Position = ()
    ) -> Iterator[tuple[Position, PluginSection, type[BaseModel], Any]]:
        """Find the sections of the file that belong to plug-ins: position, what says to which, base, and values."""
        place = self.place(position)
        if place is None or not isinstance(place.value, Mapping | list):
            return
        if isinstance(place.value, Mapping):
            for base, mark in place.sections:
                if mark is not None:
                    yield position, mark, base, place.value
        inside = place.value if isinstance(place.value, Mapping) else range(len(place.value))
        for part in inside:
            yield from self.plugin_sections((*position, part))

    def _models(self, place: Place) -> list[type[BaseModel]]:
        values = place.value if isinstance(place.value, Mapping) else {}
        return [mark.model(base, values, self.plugins) if mark else base for base, mark in place.sections]


def _sections(annotation: Any, metadata: Any = ()) -> Iterator[Marked]:
    """Find the models inside an annotation, such as RowsSpec in `RowsSpec | None`."""
    if get_origin(annotation) is Annotated:
        annotation, *metadata = get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, next((mark for mark in metadata if isinstance(mark, PluginSection)), None)
    else:
        for part in get_args(annotation):
            yield from _sections(part)


def _child(value: Any, part: str | int) -> Any:
    if isinstance(value, Mapping):
        return value.get(part)
    if isinstance(value, list) and isinstance(part, int) and part < len(value):
        return value[part]
    return None
