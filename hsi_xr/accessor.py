"""`.hsi` on Dataset and DataArray: verbs, one line each; see the functions of `hsi_xr`."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import xarray as xr

# Nothing of ours at import time: this module is imported in the middle of the import of xarray.
if TYPE_CHECKING:
    import pystac
    from spectral.image import ImageArray

    from hsi_xr.analysis.plots import Plots
    from hsi_xr.analysis.sensors import Sensor
    from hsi_xr.calibration.calibrate import Known
    from hsi_xr.calibration.gains import Gains
    from hsi_xr.pipeline.arguments import ReconstructOptions, SurveyOptions
    from hsi_xr.pipeline.plan import Plan
    from hsi_xr.pipeline.scene_statistics import Survey
    from hsi_xr.product import ItemFields, Product


@xr.register_dataset_accessor("hsi")
@xr.register_dataarray_accessor("hsi")
class HsiAccessor:
    """Verbs for RGB scenes and reconstructed cubes. Holds no state; each verb returns anew."""

    def __init__(self, obj: xr.Dataset | xr.DataArray) -> None:
        self._obj = obj  # nothing more: xarray builds this on first touch and keeps it

    def reconstruct(
        self, model: str | os.PathLike[str] = "default", **options: "Unpack[ReconstructOptions]"
    ) -> xr.Dataset:
        """Estimates the reflectance spectrum of every pixel. See `hsi_xr.reconstruct`."""
        from hsi_xr.pipeline.reconstruct import reconstruct

        return reconstruct(self._obj, model, **options)

    def plan(
        self, model: str | os.PathLike[str] = "default", **options: "Unpack[ReconstructOptions]"
    ) -> "Plan":
        """Tells tiles, overlap, memory and output without running. See `hsi_xr.plan`."""
        from hsi_xr.pipeline.plan import plan

        return plan(self._obj, model, **options)

    def survey(
        self,
        model: str | os.PathLike[str] = "default",
        *,
        exact: bool = False,
        **reading: "Unpack[SurveyOptions]",
    ) -> "Survey":
        """Learns what every tile of this scene shares. See `hsi_xr.survey`."""
        from hsi_xr.pipeline.reconstruct import survey

        return survey(self._obj, model, exact=exact, **reading)

    def gains(
        self,
        known: "Known",
        *,
        crs: str | None = None,
        scale: float = 1.0,
        smooth: float = 60.0,
    ) -> "Gains":
        """Estimates the factor of each band that brings a cube to known spectra."""
        from hsi_xr.calibration.calibrate import gains

        return gains(self._obj, known, crs=crs, scale=scale, smooth=smooth)

    def calibrate(
        self,
        known: "Known | Gains",
        *,
        crs: str | None = None,
        scale: float = 1.0,
        smooth: float = 60.0,
    ) -> xr.Dataset:
        """Brings a cube to spectra that are known on its ground. See `hsi_xr.calibrate`."""
        from hsi_xr.calibration.calibrate import calibrate

        return calibrate(self._obj, known, crs=crs, scale=scale, smooth=smooth)

    def rgb(self, *, wavelengths: tuple[float, float, float] = (650, 550, 450)) -> xr.DataArray:
        """The bands of a cube nearest to three wavelengths in nm, as a picture."""
        from hsi_xr.analysis.quicklook import three_bands

        return three_bands(self._obj, wavelengths)

    def spectrum(
        self, x: float, y: float, *, crs: str | None = None, size: float | None = None
    ) -> xr.Dataset | xr.DataArray:
        """The spectrum at a place, or of a square about it. See `hsi_xr.spectrum`."""
        from hsi_xr.analysis.select import spectrum

        return spectrum(self._obj, x, y, crs=crs, size=size)

    def bands(self, first: float, last: float) -> xr.Dataset | xr.DataArray:
        """The bands from one wavelength to another in nm. See `hsi_xr.bands`."""
        from hsi_xr.analysis.select import bands

        return bands(self._obj, first, last)

    def nearest_band(self, wavelength: float, *, tolerance: float | None = None) -> Any:
        """The band nearest to a wavelength in nm. See `hsi_xr.nearest_band`."""
        from hsi_xr.analysis.select import nearest_band

        return nearest_band(self._obj, wavelength, tolerance=tolerance)

    def sam(self, spectra: xr.Dataset | xr.DataArray, *, degrees: bool = False) -> xr.DataArray:
        """Angles between every pixel and known spectra. See `hsi_xr.sam`."""
        from hsi_xr.analysis.angles import sam

        return sam(self._obj, spectra, degrees=degrees)

    def to_sensor(self, sensor: "Sensor") -> xr.Dataset:
        """What a sensor, by name or by its responses, would see. See `hsi_xr.to_sensor`."""
        from hsi_xr.analysis.sensors import to_sensor

        return to_sensor(self._obj, sensor)

    def indices(self, names: str | Sequence[str]) -> xr.DataArray:
        """Spectral indices that need nothing but the cube's bands. See `hsi_xr.indices`."""
        from hsi_xr.analysis.indices import indices

        return indices(self._obj, names)

    def to_hypercoast(self) -> xr.Dataset:
        """The cube in HyperCoast's layout. See `hsi_xr.to_hypercoast`."""
        from hsi_xr.analysis.layouts import to_hypercoast

        return to_hypercoast(self._obj)

    def to_spectral(self) -> "ImageArray":
        """The cube in memory, in Spectral Python's layout. See `hsi_xr.to_spectral`."""
        from hsi_xr.analysis.layouts import to_spectral

        return to_spectral(self._obj)

    @property
    def plot(self) -> "Plots":
        """`plot.spectrum(x, y)`, `plot.rgb()` and, of (y, x), `plot.map()`, by matplotlib."""
        from hsi_xr.analysis.plots import Plots

        return Plots(self._obj)

    def write(
        self,
        path: str | os.PathLike[str],
        *,
        dtype: str = "int16",
        scale: float = 1e-4,
        format: str | None = None,
        overwrite: bool = False,
        resume: bool = False,
        creation_options: Mapping[str, str] | None = None,
        progress: Callable[[int, int], None] | None = None,
        tmp: str | os.PathLike[str] | None = None,
    ) -> Path | str:
        """Streams a cube to a GeoTIFF, Zarr, ENVI or NetCDF file. See `hsi_xr.write`."""
        from hsi_xr.io.write import write

        return write(
            self._obj,
            path,
            dtype=dtype,
            scale=scale,
            format=format,
            overwrite=overwrite,
            resume=resume,
            creation_options=creation_options,
            progress=progress,
            tmp=tmp,
        )

    def to_product(
        self,
        path: str | os.PathLike[str],
        *,
        datetime: str | None = None,
        source: str | os.PathLike[str] | None = None,
        model: str | os.PathLike[str] | None = None,
        dtype: str = "int16",
        scale: float = 1e-4,
        format: str | None = None,
        creation_options: Mapping[str, str] | None = None,
        stac: bool | None = None,
        item_fields: "ItemFields | None" = None,
        overwrite: bool = False,
        resume: bool = False,
        tmp: str | os.PathLike[str] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> "Product":
        """Writes a cube with its preview and STAC item. See `hsi_xr.write_product`."""
        from hsi_xr.product import write_product

        return write_product(
            self._obj,
            path,
            datetime=datetime,
            source=source,
            model=model,
            dtype=dtype,
            scale=scale,
            format=format,
            creation_options=creation_options,
            stac=stac,
            item_fields=item_fields,
            overwrite=overwrite,
            resume=resume,
            tmp=tmp,
            progress=progress,
        )

    def to_stac_item(
        self,
        *,
        datetime: str | None = None,
        href: str | None = None,
        id: str | None = None,
        derived_from: str | None = None,
        model: str | None = None,
    ) -> "pystac.Item":
        """Describes a written product as a STAC item. See `hsi_xr.describe`."""
        from hsi_xr.stac.item import describe

        return describe(
            self._obj, datetime=datetime, href=href, id=id, derived_from=derived_from, model=model
        )
