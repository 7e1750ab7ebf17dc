"""Importing LanceDB without the client of its namespace servers, until somebody uses that.

`import lancedb` imports `lance_namespace_urllib3_client`, whose own code builds pydantic validators for the 370 methods
of a REST API: 0.50 of 1.09 CPU seconds. LanceDB needs its models only, and they are submodules. So the package is made
with all it has to find submodules by, and its own code runs when something else of it is used. No class is replaced:
`isinstance`, pickles and type hints stay as they are. (`importlib.util.LazyLoader` cannot do it: it runs a package's
code when a submodule is imported.)
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from threading import RLock
from types import ModuleType
from typing import Any

__all__ = ["postpone_client"]

_CLIENT = "lance_namespace_urllib3_client"

_running = RLock()


def postpone_client() -> None:
    """Postpone the client if LanceDB is imported after this; what is imported already stays as it is."""
    if _CLIENT not in sys.modules and not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    """Finds the client the first time, if it is LanceDB that imports it."""

    # It stays in sys.meta_path: a list that shrinks makes an import in another thread miss a finder.
    _asked = False

    def find_spec(self, fullname: str, _path: Sequence[str] | None = None,
                  _target: ModuleType | None = None) -> ModuleSpec | None:  # fmt: skip
        if fullname != _CLIENT or self._asked:
            return None
        self._asked = True
        spec = find_spec(fullname)  # by the other finders
        if spec is not None and spec.loader is not None and "lancedb" in sys.modules:
            spec.loader = _PostponingLoader(spec.loader)
        return spec


class _PostponingLoader(Loader):
    """Makes the module as its own loader does, which runs its code later."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        _spec(module).loader = module.__loader__ = self._loader
        module.__class__ = _PostponedModule


class _PostponedModule(ModuleType):
    """A package that runs its code when something of it is used that is no submodule."""

    def __getattr__(self, name: str) -> Any:
        # A submodule that takes another `from` the package must not run its code, which needs the first one whole.
        submodule = f"{self.__name__}.{name}"
        if not name.startswith("__") and find_spec(submodule) is not None:
            return import_module(submodule)
        _run(self)
        return ModuleType.__getattribute__(self, name)

    def __dir__(self) -> Iterable[str]:
        _run(self)
        return ModuleType.__dir__(self)


class _RunningModule(_PostponedModule):
    """One whose code is running: its thread finds what it has so far, the others wait."""


def _run(module: ModuleType) -> None:
    with _running:
        if type(module) is _PostponedModule:
            module.__class__ = _RunningModule
            try:
                _spec(module).loader.exec_module(module)
            except BaseException:
                module.__class__ = _PostponedModule
                raise
            module.__class__ = ModuleType


def _spec(module: ModuleType) -> Any:
    return module.__spec__
