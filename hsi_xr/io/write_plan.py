"""The plan of a run of `write`: which files it writes, and the blocks that it computes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import xarray as xr

from hsi_xr.io import formats, staging, tags
from hsi_xr.io.blocks import Block, ReadBlock, block_reader, block_sizes, split_blocks
from hsi_xr.io.formats import Format
from hsi_xr.io.journal import journal_path, part_folder
from hsi_xr.io.staging import StagingFile
from hsi_xr.io.variables import StoredVariable
from hsi_xr.level_interval import LEVEL_FACTOR, LEVEL_VARIABLES, LevelInterval
from hsi_xr.times import utc_text

_BLOCK_BYTES, _LEAST_SIDE = 128 * 2**20, 64
"""Bytes of a block of all variables, and the side in pixels below which it is larger anyway."""


@dataclass(frozen=True)
class OutputFile:
    """A file to be written, and the variables that it will contain."""

    path: Path
    format: Format
    staging_files: list[StagingFile]


@dataclass(frozen=True)
class WritePlan:
    """What one run of `write` has to do; options and variables have been checked."""

    variables: list[StoredVariable]
    """The main variable first."""
    formats: list[Format]
    """The format of each variable's file, with its creation options."""
    blocks: list[Block]
    read_block: ReadBlock
    config: Mapping[str, object]
    """Settings that a run must share with the one that it resumes."""
    remote: Path | None = None
    """Folder of object storage that finished files are uploaded to; None if they stay local."""
    level: Mapping[str, xr.DataArray] = field(default_factory=dict)
    """Lazy variables that state the level of the scene; see `hsi_xr.level_interval`."""

    def with_level(self) -> "WritePlan":
        """Returns the plan with the level of the scene among its attributes, and in its files.

        The level is known when pixels have been computed: it then costs nothing.
        """
        if not self.level:
            return self
        computed = xr.Dataset(self.level).compute()
        scalars = {str(name): computed[name] for name in LEVEL_VARIABLES if name in computed}
        found = LevelInterval.from_scalars(scalars)
        attrs = dict(self.main.attrs) | dict(found.attributes if found else {})
        if LEVEL_FACTOR in computed:
            factors = computed[LEVEL_FACTOR].values.ravel()  # one draw has a scalar
            attrs["hsi_xr_level_factors"] = ",".join(f"{factor:.4g}" for factor in factors)
        variables = [replace(variable, attrs=attrs) for variable in self.variables]
        plan = replace(self, variables=variables, level={})
        for staging_file in plan.staging_files:
            staging_file.update_provenance()
        return plan

    @property
    def main(self) -> StoredVariable:
        return self.variables[0]

    @property
    def format(self) -> type[Format]:
        return type(self.formats[0])

    @property
    def folder(self) -> Path:
        """Folder of all unfinished files."""
        return part_folder(self.main.path)

    @property
    def journal_path(self) -> Path:
        return journal_path(self.main.path)

    @property
    def upload_mark(self) -> Path:
        """An empty file that exists once the upload has begun."""
        return self.folder / "uploading"

    def destination_of(self, path: Path) -> Path:
        """Returns the file or object that a local file of this run becomes."""
        return path if self.remote is None else self.remote / path.name

    @cached_property
    def staging_files(self) -> list[StagingFile]:
        """One per variable."""
        return [
            StagingFile(variable, self.folder / f"{at}.tif")
            for at, variable in enumerate(self.variables)
        ]

    @property
    def files(self) -> list[OutputFile]:
        """All files, the main file first."""
        if self.format.MULTI_VARIABLE:
            return [OutputFile(self.main.path, self.formats[0], self.staging_files)]
        return [
            OutputFile(staging_file.variable.path, format, [staging_file])
            for staging_file, format in zip(self.staging_files, self.formats)
        ]

    @property
    def style_path(self) -> Path | None:
        """Path of the QGIS style; None if the main file has no RGB bands, or is a store.

        QGIS shows a variable of a store only if the user selects it, and then without this style.
        """
        if self.format.MULTI_VARIABLE or self.main.rgb_bands is None:
            return None
        return self.main.style_path


def plan_write(
    name: str,
    variables: list[StoredVariable],
    options: Mapping[str, object],
    remote: Path | None = None,
    *,
    level: Mapping[str, xr.DataArray] | None = None,
) -> WritePlan:
    """Plan a run, without computing or writing anything.

    Args:
        name: Name of the format.
        variables: Variables to write, the main one first.
        options: Creation options of the format.
        remote: Folder of object storage that finished files are uploaded to.
        level: Lazy variables that state the level of the scene, if there are any.

    Raises:
        UsageError: An option is invalid, or the format cannot store a variable.
    """
    format = formats.by_name(name)
    parsed = [format.parse(variable, options) for variable in variables]
    arrays = [variable.array for variable in variables]
    sizes = block_sizes(arrays, _block_side(variables))
    config = {
        **_describe(variables),
        "format": name,
        "creation options": parsed[0].to_dict(),
        "blocks": sizes,
    }
    return WritePlan(
        variables,
        parsed,
        split_blocks(sizes),
        block_reader(arrays, sizes),
        config,
        remote,
        level or {},
    )


def _block_side(variables: list[StoredVariable]) -> int:
    """Returns the least side of a block in pixels, which is smaller if there are many draws."""
    values, side = sum(variable.count for variable in variables), staging.TILE
    while side > _LEAST_SIDE and 4 * values * side**2 > _BLOCK_BYTES:
        side //= 2
    return side


def _describe(variables: list[StoredVariable]) -> dict[str, object]:
    main = variables[0]
    acquired = main.attrs.get("datetime")
    provenance = tags.provenance_of(main.attrs)
    return {
        "variables": {variable.name: [variable.count, *variable.shape] for variable in variables},
        "stored as": [main.storage.dtype, main.storage.scale],
        "transform": None if main.transform is None else list(main.transform)[:6],
        "crs": None if main.crs is None else main.crs.to_wkt(),
        "wavelengths": main.wavelengths,
        "datetime": None if acquired is None else utc_text(acquired),
        **{f"hsi_xr_{key}": value for key, value in provenance.items()},
    }
