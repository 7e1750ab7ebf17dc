"""Which indexes are deployed, and where their specs are: a Prefect variable each, to be seen and edited in the UI."""

from __future__ import annotations

import asyncio
from pathlib import Path

from prefect.client.orchestration import get_client
from prefect.variables import Variable

from relance.config import IndexSpec
from relance.config.load import load_spec
from relance.errors import ConfigurationError
from relance.events.registered import PREFIX, index_of, variable_of

__all__ = ["PREFIX", "find_spec", "forget", "name_of", "register", "registered"]


def name_of(index: str) -> str:
    """Shorten a name or path to what a person calls the index: `handbook` for `examples/handbook/index.yaml`."""
    path = Path(index)
    if path.name in {"index.yaml", "index.yml"}:
        return path.parent.name or path.name
    return path.stem if path.suffix in {".yaml", ".yml"} else path.name or index


async def register(spec: IndexSpec, path: Path) -> str:
    """Remember where the spec of an index is; ConfigurationError if another spec is deployed under its name.

    Returns the path under which the name was known before, if it is another one that is not on this machine.
    """
    known = (await registered()).get(spec.name)
    if known and known != str(path) and await asyncio.to_thread(Path(known).exists):
        msg = (
            f"an index named {spec.name!r} is deployed from {known}; give this one ({path}) another name, or take the "
            f"other away with `relance deploy --remove {spec.name}`"
        )
        raise ConfigurationError(msg)
    if known != str(path):
        await Variable.aset(variable_of(spec.name), {"spec": str(path)}, tags=["relance"], overwrite=True)
    return known if known and known != str(path) else ""


async def forget(index: str) -> bool:
    """Forget an index; returns whether it was known."""
    return await Variable.aunset(variable_of(index))


async def registered() -> dict[str, str]:
    """List the deployed indexes: name to path of the spec."""
    async with get_client() as client:
        variables = await client.read_variables(limit=200)
    found = {}
    for each in variables:
        if each.name.startswith(PREFIX) and isinstance(each.value, dict) and isinstance(each.value.get("spec"), str):
            found[index_of(each.name)] = each.value["spec"]
    return dict(sorted(found.items()))


async def find_spec(index: str) -> IndexSpec:
    """Load the spec of a deployed index by its name, or any spec by its path on this machine.

    Raises ConfigurationError, with the names of the deployed indexes, where there is no such index or none is named.
    """
    known = await registered()
    if index in known:
        return await asyncio.to_thread(load_spec, known[index])
    if index and await asyncio.to_thread(_is_here, index):
        return await asyncio.to_thread(load_spec, index)
    there = f"deployed are {', '.join(known)}" if known else "none is deployed"
    msg = (
        f"there is no index {index!r}: {there}, and no file or folder of that name is on this machine"
        if index
        else f"no index is named: {there}, and a path on the machine that runs the flow will do"
    )
    raise ConfigurationError(f"{msg}. `relance deploy SPEC` registers one")


def _is_here(index: str) -> bool:
    return Path(index).expanduser().exists()
