"""The door to Prefect's blocks, for specs that leave their key or store to one."""

from __future__ import annotations

import importlib

from relance.config import IndexSpec

__all__ = ["with_blocks"]


def with_blocks(spec: IndexSpec) -> IndexSpec:
    """Fill in what a spec leaves to blocks; without a word of them nothing of Prefect is imported."""
    sections = [spec.embedding] + ([spec.media.embedding] if spec.media else [])
    if not spec.store.block and not any(section.credentials for section in sections):
        return spec
    return importlib.import_module("relance_operate.blocks").with_blocks(spec)
