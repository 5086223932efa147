"""Reconstruct an RGB orthomosaic, describe the cube in STAC, and print its central spectrum.

python examples/orthomosaic.py SCENE.tif CUBE.tif 2026-05-04T10:30:00Z
"""

import json
import sys
from pathlib import Path

import hsi_xr


def main(scene: str, cube: str, acquired: str) -> None:
    rgb = hsi_xr.open(scene)  # lazy: nothing is read yet
    print(rgb.hsi.plan(), file=sys.stderr)

    reconstructed = rgb.hsi.reconstruct()  # lazy as well
    hsi_xr.write(reconstructed, cube)  # streams: memory does not grow with the scene

    item = hsi_xr.describe(cube, datetime=acquired, derived_from=scene)
    Path(cube).with_suffix(".json").write_text(json.dumps(item.to_dict(), indent=2))

    centre = hsi_xr.open(cube).isel(y=rgb.sizes["y"] // 2, x=rgb.sizes["x"] // 2)
    for wavelength, reflectance in zip(centre["wavelength"].values, centre.values, strict=True):
        print(f"{wavelength:g} nm  {reflectance:.4f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
