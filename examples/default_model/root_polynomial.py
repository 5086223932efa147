"""Makes the model `root-polynomial`, the yardstick of the default one, from the same data:
`python -m examples.default_model.root_polynomial DATA OUT.safetensors`.
"""

import argparse
from pathlib import Path

import torch

from examples.default_model.publish import ABOUT, DEFINITION, classical
from examples.default_model.score import cases, table
from examples.default_model.simulate import Shot
from examples.default_model.train import BANDS, material
from hsi_xr.checkpoints import measure, registry
from hsi_xr.checkpoints.weights import parameters, save_model
from hsi_xr.networks.chromaticity import chromaticity_histogram
from hsi_xr.reconstructors._base import Estimate, SceneWindows
from hsi_xr.reconstructors.root_polynomial import Config, Regression, RootPolynomial

SYSTEM = "root-polynomial"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    source = material(options.data)
    spectra, pictures = classical(source, torch.Generator().manual_seed(3))
    model = RootPolynomial(Regression(len(BANDS)), Config(bands=len(BANDS))).eval()
    model.network.coefficients.data = spectra
    model.adapter.gain.fix_to_one()  # of colours; their level is that which pictures of ground tell
    model.adapter.gain.regression.data = source.studio.cameras.mean(0) @ pictures

    @torch.inference_mode()
    def take(shot: Shot) -> Estimate:
        rgb = shot.rgb[None]
        seen = None if shot.level_known else chromaticity_histogram(rgb)
        cube, _ = model.whole(SceneWindows.entire(rgb, seen), lambda _: rgb)
        return Estimate(cube, 0 * cube, 0 * cube[:, :1])

    found = table(cases(options.data), take)
    card = {
        **registry.find(SYSTEM, untrained=True).data,
        **{key: ABOUT[key] for key in ("version", "limits")},
        "bands": {"centres_nm": list(BANDS.centres), "widths_nm": list(BANDS.widths or ())},
        "name": "root-polynomial-visible",
        "training": {
            **ABOUT["training"],
            "script": "python -m examples.default_model.root_polynomial",
        },
        "parameters": parameters(model),
        "scores": {
            "definition": DEFINITION,
            "model": {
                name: {k: v for k, v in row.items() if k != "coverage_90"}
                for name, row in found.items()
            },
        },
    }
    card["reach"] = measure.Probe(model, card).reach({"random patches": measure.random_patches()})
    save_model(model, options.out, card)


if __name__ == "__main__":
    main()
