"""Draws `structure.svg` from the import contract: `python docs/images/structure.py`."""

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

HERE = Path(__file__).parent

CAPTIONS = {
    "cli": ("hsi-xr, rio hsi", "interface"),
    "training": ("one loop for all systems", "both"),
    "demo": ("a rendered scene", "interface"),
    "coded_aperture": ("CASSI snapshots", "both"),
    "evaluation": ("scores and their protocol", "both"),
    "batch": ("many images: convert", "both"),
    "datasets": ("NTIRE, CAVE, your pairs", "both"),
    "accessor": (".hsi on xarray", "interface"),
    "product": ("cube, sidecars and item in one call", "both"),
    "pipeline": ("plan, survey, tiles, dask graph, devices: where both sides meet", "both"),
    "analysis": ("spectra, sensors, indices", "scene"),
    "checkpoints": ("cards, weights, import, export", "both"),
    "stac": ("items, collections, validation", "scene"),
    "calibration": ("gains from known spectra", "scene"),
    "reconstructors": ("one file per system", "model"),
    "io": ("read, write, formats, tags", "scene"),
    "networks": ("torch modules", "model"),
    "diffusion": ("noise, samplers", "model"),
    "camera": ("spectral responses", "model"),
}
"""Package -> what it contains, and its side; modules of the lowest floor have neither."""

COLOURS = {  # fill, edge, and what it means
    "scene": ("#d9efe9", "#00897b", "rasters and xarray, never torch"),
    "model": ("#fbe3dc", "#d2603a", "tensors, never xarray or GDAL"),
    "both": ("#fff3d6", "#d39e1f", "both"),
    "interface": ("#e3e7f7", "#5c6bc0", "interface"),
    "": ("#eceff1", "#90a4ae", ""),
}
LEFT, RIGHT, TOP, STEP, GAP = 44, 880, 62, 60, 10
SANS = "system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
MONO = "ui-monospace,Menlo,Consolas,monospace"


def floors() -> list[list[str]]:
    """The floors of the import contract, from the top."""
    about = tomllib.loads((HERE / "../../pyproject.toml").read_text("utf-8"))
    contracts = about["tool"]["importlinter"]["contracts"]
    (layers,) = (each["layers"] for each in contracts if each["type"] == "layers")
    return [layer.replace(":", "|").replace(" ", "").split("|") for layer in layers]


def draw() -> str:
    """The picture as SVG."""
    rows = floors()
    bottom = TOP + STEP * (len(rows) - 1) + 34
    parts = [*_legend(), *_arrow(bottom)]
    for number, names in enumerate(rows):
        parts += _floor(names, TOP + STEP * number)
    title = "Packages of hsi_xr in floors; each floor imports only from those below"
    width, height = RIGHT + 20, bottom + 20
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{SANS}" role="img">',
            f"<title>{title}</title>",
            '<rect width="100%" height="100%" rx="10" fill="#ffffff"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _floor(names: list[str], y: float) -> Iterator[str]:
    """Boxes side by side, as wide as their text asks for."""
    lengths = [1.5 * len(name) + len(_about(name)[0]) if _about(name)[0] else 1 for name in names]
    room = RIGHT - LEFT - GAP * (len(names) - 1)
    x = float(LEFT)
    for name, length in zip(names, lengths, strict=True):
        width = room * length / sum(lengths)
        caption, side = _about(name)
        fill, edge, _ = COLOURS[side]
        height = 46 if caption else 34
        yield (
            f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{height}" rx="8" '
            f'fill="{fill}" stroke="{edge}" stroke-width="1.3"/>'
        )
        middle = x + width / 2
        size = 15 if caption else 12.5
        yield _text(middle, y + (20 if caption else 21), name, "#263238", size=size, mono=True)
        if caption:
            yield _text(middle, y + 37, caption, "#546e7a", size=12.5)
        x += width + GAP


def _about(name: str) -> tuple[str, str]:
    return CAPTIONS.get(name, ("", ""))


def _legend() -> Iterator[str]:
    x = float(LEFT)
    for fill, edge, label in COLOURS.values():
        if label:
            box = f'x="{x:g}" y="22" width="18" height="18" rx="4"'
            yield f'<rect {box} fill="{fill}" stroke="{edge}"/>'
            yield _text(x + 26, 36, label, "#455a64", size=14, anchor="start")
            x += 52 + 7 * len(label)


def _arrow(bottom: int) -> Iterator[str]:
    yield f'<path d="M28 {TOP + 6} V{bottom - 18}" stroke="#78909c" stroke-width="1.6"/>'
    yield f'<path d="M23 {bottom - 18} H33 L28 {bottom - 4} Z" fill="#78909c"/>'
    middle = (TOP + bottom) / 2
    turned = f' transform="rotate(-90 18 {middle:g})"'
    yield _text(18, middle, "imports point down", "#546e7a", size=13, more=turned)


def _text(
    x: float,
    y: float,
    text: str,
    fill: str,
    *,
    size: float = 15,
    anchor: str = "middle",
    mono: bool = False,
    more: str = "",
) -> str:
    font = f' font-family="{MONO}" font-weight="600"' if mono else ""
    return (
        f'<text x="{x:.1f}" y="{y:g}" font-size="{size:g}" fill="{fill}" '
        f'text-anchor="{anchor}"{font}{more}>{escape(text)}</text>'
    )


if __name__ == "__main__":
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "structure.svg"
    path.write_text(draw(), "utf-8")
