"""Steps of `prefect.yaml`."""

from __future__ import annotations

import asyncio

__all__ = ["index", "package"]


def package() -> dict[str, str]:
    """Tell the version of relance, for the deployments."""
    from relance import __version__

    return {"version": __version__}


async def index(spec: str = "index.yaml") -> dict[str, str]:
    """Tell the server where the spec of an index is, so that runs find it by name; returns its name and our version.

    Raises SpecError for a spec that does not load, ConfigurationError if another index is deployed under its name.
    """
    from relance.config.load import find_file, load_spec
    from relance_flows.registry import register

    file = await asyncio.to_thread(lambda: find_file(spec).absolute())
    declared = await asyncio.to_thread(load_spec, file)
    await register(declared, file)
    return {"name": declared.name, **package()}
