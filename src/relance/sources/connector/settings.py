"""The settings of a section, checked by the models of unstructured-ingest."""

from __future__ import annotations

import difflib
import importlib
import logging
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from relance.config.finding import Given, sentence
from relance.errors import ConfigurationError, MissingExtraError
from relance.sources.connector.problems import Problems

__all__ = ["access_of", "checked", "library", "need"]

# They report what we report, some of it with what the service answered; of telemetry unstructured-ingest sends none
# unless its own pipeline is run.
_LOUD = ("unstructured_ingest", "atlassian", "slack_sdk", "notion_client", "backoff")


def library(service: str) -> Any:
    """Import the module of a service; MissingExtraError without unstructured-ingest."""
    for name in _LOUD:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        return importlib.import_module(f"unstructured_ingest.processes.connectors.{service}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "unstructured_ingest":
            raise MissingExtraError("a source of type connector", "connectors") from None
        raise need(service, error.name or "") from None


def need(service: str, module: str = "") -> ConfigurationError:
    """Say which packages a service needs."""
    what = f" ({module} is missing)" if module else ""
    extra = service.replace("_", "-").partition(".")[0]
    return ConfigurationError(
        f"the service {extra} needs packages of its own{what}: pip install 'unstructured-ingest[{extra}]'"
    )


def checked(model: Any, section: str, values: Mapping[str, Any], problems: Problems, **given: Any) -> Any:
    """Read settings by a model of unstructured-ingest; ConfigurationError that names the field, never a value.

    Args:
        model: pydantic model.
        section: of the spec that the values are from.
        values: as they are written.
        problems: hide what is secret.
        given: values that are no matter of the section.
    """
    secret = [name for model in _models(_access(model)) for name in model.model_fields]
    for name in values:
        if name in secret and name not in model.model_fields:
            raise ConfigurationError(f"{section}.{name}: is a secret; write it under `secrets`")
    refuse_unknown(section, values, model.model_fields.keys() - given.keys() - {"access_config", "download_dir"})
    try:
        return model.model_validate({**values, **given})
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]
        loc = [str(part) for part in problem["loc"]]
        place = ".".join([section, *loc]) if loc[:1] != ["access_config"] else ".".join(["secrets", *loc[1:]])
        message = sentence(problem, Given())
    except Exception as error:  # unstructured-ingest has a ValueError of its own, which pydantic does not know
        place, message = section, str(error)
    raise ConfigurationError(f"{place}: {problems.hide(message)}")


def refuse_unknown(section: str, values: Iterable[str], known: Iterable[str]) -> None:
    """Raise ConfigurationError for a name that is not known: the models would pass over it."""
    names = sorted(known)
    for name in values:
        if name in names:
            continue
        close = difflib.get_close_matches(name, names, 1, 0.6)
        hint = f"did you mean {close[0]!r}?" if close else f"it may have {', '.join(names) or 'nothing'}"
        raise ConfigurationError(f"{section}: unknown setting {name!r}; {hint}")


def access_of(connection: Any, secrets: Mapping[str, str], problems: Problems) -> BaseModel:
    """Read secrets by the access config of a connection config."""
    for model in _models(_access(connection)):
        return checked(model, "secrets", secrets, problems)
    raise AssertionError("a connection config has an access config")  # pragma: no cover


def _access(model: Any) -> Any:
    field = model.model_fields.get("access_config")
    return field.annotation if field else None


def _models(annotation: Any) -> Iterable[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    metadata = getattr(annotation, "__pydantic_generic_metadata__", None)
    for part in (metadata["args"] if metadata else ()) or get_args(annotation):
        yield from _models(part)
