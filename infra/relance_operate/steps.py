"""Steps of `prefect.yaml`."""

from __future__ import annotations

__all__ = ["package"]


def package() -> dict[str, str]:
    """Tell the version of relance, for the deployments."""
    from relance import __version__

    return {"version": __version__}
