"""`.hsi` appears on xarray objects as soon as both hsi_xr and xarray are imported, in any order.

Importing xarray takes half a second, which `hsi-xr --help` has no use for. So where xarray is not
loaded yet, a finder waits on `sys.meta_path` for its import, lets it run to its end, imports
`hsi_xr.accessor` right after, and goes away. Where xarray is never imported nothing ever happens.
"""

import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_ACCESSOR = "hsi_xr.accessor"
_AWAITED = "xarray"


def accessor_with_xarray() -> None:
    """Register `.hsi` now if xarray is loaded, otherwise right after it will have been."""
    if _AWAITED not in sys.modules:
        sys.meta_path.insert(0, _AfterXarray())
    if _AWAITED in sys.modules:  # before, or by another thread just now
        import_module(_ACCESSOR)


class _AfterXarray(MetaPathFinder):
    """Finds xarray where the others find it, with the accessor's import added to its loading."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != _AWAITED:
            return None
        others = (finder for finder in list(sys.meta_path) if finder is not self)
        found = (finder.find_spec(fullname, path, target) for finder in others)
        spec = next((spec for spec in found if spec is not None), None)
        if spec is not None and spec.loader is not None:
            spec.loader = _LoadThenRegister(spec.loader, self)
        return spec


class _LoadThenRegister(Loader):
    """The loader of xarray, and one import more.

    The finder stays until a load has succeeded: a mere `importlib.util.find_spec("xarray")` asks
    for a spec, too, and loads nothing.
    """

    def __init__(self, loader: Loader, finder: MetaPathFinder) -> None:
        self._loader = loader
        self._finder = finder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)  # get_source, get_resource_reader, ...

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader  # xarray itself never sees that it was awaited
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        with suppress(ValueError):  # another load, after an earlier one failed, has removed it
            sys.meta_path.remove(self._finder)
        import_module(_ACCESSOR)
