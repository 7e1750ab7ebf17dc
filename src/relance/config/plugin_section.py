"""Sections of the spec whose fields depend on a plug-in: each is read by that plug-in's `Spec`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError, ValidationInfo
from pydantic_core import SchemaValidator, core_schema

from relance.config.finding import findings
from relance.config.plugins import Group, Plugins
from relance.config.spec_model import SpecModel
from relance.errors import ConfigurationError

__all__ = ["PluginOptions", "PluginSection", "PluginSpec", "options_model", "read_section"]

Model = type[BaseModel]
_NOTHING: dict[str, Any] = {"type": "object", "maxProperties": 0}


@dataclass(slots=True, frozen=True)
class PluginSection:
    """Annotates a section that one of its own fields gives to a plug-in, such as `model: local/wordllama`.

    A section that names no plug-in, or one that is not there, is read by the annotated base: the loader of files says
    where the name stands, and who opens the plug-in raises ConfigurationError. The names mean what the validation
    context says, if that is `Plugins`, and else what is installed.

    Attributes:
        group: of plug-ins.
        field: that names the plug-in: `model` as `name/model`, others as `name`.
        attribute: of the plug-in, where its model of the section is.
    """

    group: Group
    field: str
    attribute: str = "Spec"

    def __get_pydantic_core_schema__(self, source: Model, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        def read(value: Any, base: core_schema.ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
            plugins = _plugins(info)
            values = value
            if isinstance(value, source):
                values = {name: getattr(value, name) for name in value.model_fields_set}
            if not isinstance(values, Mapping):
                return base(value)
            model = self.model(source, values, plugins)
            if isinstance(value, model):
                return base(value)
            values = self._without_defaults(source, values, model, plugins)
            return base(values) if model is source else model.model_validate(values, context=info.context)

        return core_schema.with_info_wrap_validator_function(read, handler(source), metadata={"base": source})

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        base: Model = schema["metadata"]["base"]
        names: dict[Model, list[str]] = {}
        for name, plugin in sorted(Plugins().loaded(self.group).items()):
            if (model := self._of(plugin, base)) is not None:
                names.setdefault(model, []).append(name)
        default = self.name(base, {})
        found = []
        for model, mine in names.items():
            wanted = {"pattern": f"^({'|'.join(mine)})/.+$"} if self.field == "model" else {"enum": mine}
            one = {**_reference(model, handler), "properties": {self.field: wanted}}
            found.append(one if default in mine else {**one, "required": [self.field]})
        return {"anyOf": found}

    def model(self, base: Model, values: Mapping[str, Any], plugins: Plugins) -> Model:
        """Find the model of a section by what is written in it."""
        try:
            found = self._of(plugins.find(self.group, self.name(base, values)), base)
        except ConfigurationError:
            return base
        return found or base

    def name(self, base: Model, values: Mapping[str, Any]) -> str:
        """Return the name of the plug-in that a section means; empty where it says none."""
        value = values.get(self.field, base.model_fields[self.field].default)
        return value.partition("/")[0] if isinstance(value, str) else ""

    def owners(self, key: str, base: Model, plugins: Plugins) -> dict[str, Any]:
        """Return the plug-ins whose section has a field, with its default."""
        models = {name: self._of(plugin, base) for name, plugin in plugins.loaded(self.group).items()}
        return {name: model.model_fields[key].get_default() for name, model in models.items()
                if model is not None and key in model.model_fields}  # fmt: skip

    def _of(self, plugin: Any, base: Model) -> Model | None:
        """Return a plug-in's model: the base where it needs no fields of its own; None where it has no such section."""
        return getattr(plugin, self.attribute, base if self.attribute == "Spec" else None)

    def _without_defaults(self, base: Model, values: Mapping[str, Any], model: Model, plugins: Plugins) -> Any:
        """Leave out what only other plug-ins have where it says their default, which changes nothing."""
        others = values.keys() - model.model_fields.keys()
        idle = {key for key in others if values[key] in self.owners(key, base, plugins).values()}
        return {key: value for key, value in values.items() if key not in idle}


class PluginSpec(SpecModel):
    """The base of sections that plug-ins read: each of their models is a subclass."""

    plugin: ClassVar[PluginSection]

    @classmethod
    def of(cls, values: Mapping[str, Any], plugins: Plugins | None = None) -> Self:
        """Read a section by the model of the plug-in that it names; raises ValidationError."""
        plugins = plugins or Plugins()
        model: Any = cls.plugin.model(cls, values, plugins)
        return model.model_validate(values, context=plugins)


@dataclass(slots=True, frozen=True)
class PluginOptions:
    """Annotates a mapping from names of plug-ins to their options, each read by that plug-in's `Spec`."""

    group: Group

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        def read(value: Any, base: core_schema.ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
            if not isinstance(value, Mapping):
                return base(value)
            plugins = _plugins(info)
            models = {name: options_model(self.group, name, plugins) for name in value}
            fields = {name: core_schema.typed_dict_field(model.__pydantic_core_schema__, required=False)
                      for name, model in models.items() if model is not None}  # fmt: skip
            return SchemaValidator(core_schema.typed_dict_schema(fields, extra_behavior="forbid")).validate_python(
                value
            )

        return core_schema.with_info_wrap_validator_function(read, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        del schema
        models = {name: getattr(plugin, "Spec", SpecModel) for name, plugin in Plugins().loaded(self.group).items()}
        found = {name: _reference(models[name], handler) if models[name].model_fields else _NOTHING
                 for name in sorted(models)}  # fmt: skip
        return {"type": "object", "properties": found, "additionalProperties": False}


def options_model(group: Group, name: str, plugins: Plugins) -> Model | None:
    """Find the model of a plug-in's options; None where there is no such plug-in, or it does not import."""
    try:
        return getattr(plugins.find(group, name), "Spec", SpecModel)
    except ConfigurationError:
        return None


def read_section(section: BaseModel, model: Model, where: str) -> Any:
    """Return a section as a plug-in's model reads it; ConfigurationError if it holds what that one has not."""
    if isinstance(section, model):
        return section
    values = {name: getattr(section, name) for name in section.model_fields_set}
    try:
        return model.model_validate(values)
    except ValidationError as error:
        name, said = findings(error.errors(), model.model_fields, private=True)[0]
    raise ConfigurationError(f"{where}.{name}: {said}" if name else f"{where}: {said}")


def _plugins(info: ValidationInfo) -> Plugins:
    return info.context if isinstance(info.context, Plugins) else Plugins()


def _reference(model: Model, handler: GetJsonSchemaHandler) -> dict[str, Any]:
    """Put a model among the schema's definitions, as pydantic does with those that fields name."""
    schema: Any = model.__pydantic_core_schema__
    if schema["type"] == "model":
        schema = dict(schema, ref=f"{model.__module__}.{model.__qualname__}:{id(model)}")
    whole: Any = {"type": "definitions", "schema": schema, "definitions": []}
    return handler(whole)
