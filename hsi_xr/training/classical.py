"""Makes the model `root-polynomial` of the regression that the default model refines:
`python -m hsi_xr.training.classical OUT.safetensors`.

Regression and scene gain were fitted by `hsi_xr.training.default`; their scores are those that the
default model's card has for them.
"""

import argparse
from pathlib import Path
from typing import Any

from hsi_xr.reconstructors import _measure, _registry
from hsi_xr.reconstructors._card import read_untrained
from hsi_xr.reconstructors._weights import load_model, parameters, save_model
from hsi_xr.reconstructors.root_polynomial import Config, Regression, RootPolynomial

SYSTEM = "root-polynomial"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    default = _registry.find(_registry.DEFAULT)
    whole: Any = load_model(default)
    model = RootPolynomial(Regression(len(default.bands)), Config(bands=len(default.bands))).eval()
    model.network.load_state_dict({"coefficients": whole.base})
    model.front.gain.load_state_dict(whole.gain.state_dict())
    scores = default.data["scores"]
    card = {
        **read_untrained(_registry.card_of(SYSTEM)).data,
        **{key: default.data[key] for key in ("version", "bands", "limits")},
        "name": "root-polynomial-visible",
        "training": {k: v for k, v in default.data["training"].items() if k != "note"},
        "parameters": parameters(model),
        "scores": {
            "definition": scores["definition"],
            "model": scores["root_polynomial_on_the_same_gain"],
        },
    }
    card["reach"] = _measure.Probe(model, card).reach({"quilt": _measure.quilt()})
    save_model(model, parser.parse_args().out, card)


if __name__ == "__main__":
    main()
