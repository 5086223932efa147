"""The documentation builds without a warning, its code runs, and its links resolve."""

import os
import re
import runpy
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from affine import Affine

import hsi_xr
from tests.doc_pages import ROOT, blocks, prints, run_block
from tests.object_storage import serving
from tests.scenes import ground, photographed, rgb_image, save

NEEDED = ("mkdocs", "material", "mkdocstrings_handlers", "mkdocs_click")
ABSENT = [name for name in NEEDED if find_spec(name) is None]

PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *(ROOT / "hsi_xr").glob("*/README.md"),
    *(ROOT / "examples").glob("*/README.md"),
    *(ROOT / "plugins").glob("*/README.md"),
]
WITH_CODE = [page for page in PAGES if any(True for _ in blocks(page))]
WITH_CUBE = {"calibration", "cubes", "qgis", "stac", "validation"}
"""Pages whose code begins with the cube that the quickstart writes."""

WIDTH = 88
"""Characters of a code block that a page shows without scrolling."""

TAKEN = "2026-05-04T10:30:00Z"
GRID = Affine(0.5, 0, 500_000, 0, -0.5, 4_650_000)
UTM = "EPSG:32633"
PANELS = {"grey panel": (500012.5, 4649990.0, 1.2), "lawn": (500031.0, 4649972.5, None)}
LIBRARY = """\
wavelength,grass,soil,asphalt
400,0.03,0.06,0.07
500,0.05,0.12,0.09
600,0.07,0.22,0.11
700,0.20,0.30,0.12
"""
RESPONSES = """\
wavelength,blue,green,red
430,0,0,0
450,1,0,0
470,0,0,0
540,0,0,0
560,0,1,0
580,0,0,0
630,0,0,0
650,0,0,1
670,0,0,0
"""


def _name(page: Path) -> str:
    return page.stem if page.parent.name == "docs" else str(page.relative_to(ROOT))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    """The files that the pages read."""
    folder = tmp_path_factory.mktemp("inputs")
    pixels = rgb_image(61, 83)
    save(folder / "scene.tif", pixels, transform=GRID, crs=UTM)
    save(folder / "other.tif", rgb_image(61, 83, seed=1), transform=GRID, crs=UTM)
    reflectance = (1e4 * photographed(ground(61, 83), chunks=None).values).astype("uint16")
    save(folder / "reflectance.tif", reflectance, transform=GRID, crs=UTM)
    for number, (rows, columns) in enumerate([(0, 0), (0, 40), (30, 0), (30, 40)], start=1):
        tile = pixels[:, rows : rows + (30 if rows == 0 else 31), columns:][
            :, :, : 40 if columns == 0 else 43
        ]
        for path in (f"tiles/{number}.tif", f"flight/north/{number}.tif"):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            save(folder / path, tile, transform=GRID @ Affine.translation(columns, rows), crs=UTM)
    (folder / "library.csv").write_text(LIBRARY)
    (folder / "responses.csv").write_text(RESPONSES)
    _save_sentinel(folder / "sentinel2.tif")
    return folder


def _save_sentinel(path: Path) -> None:
    """Three bands of Sentinel-2 over the ground of the scene, as integers."""
    import rasterio

    rows, columns = np.mgrid[0:3, 0:4]
    numbers = np.stack([400 + 60 * rows, 800 + 50 * columns, 600 + 40 * rows]).astype("uint16")
    save(path, numbers, transform=GRID @ Affine.scale(20), crs=UTM)
    with rasterio.open(path, "r+") as file:
        for band, (centre, width) in enumerate([(0.49, 0.065), (0.56, 0.035), (0.665, 0.03)], 1):
            file.update_tags(band, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=centre, FWHM_UM=width)


@pytest.fixture(scope="module")
def cube(inputs, tmp_path_factory) -> Path:
    """The folder of the product that the quickstart writes."""
    folder = tmp_path_factory.mktemp("cube")
    estimate = hsi_xr.open(inputs / "scene.tif").hsi.reconstruct(samples=2, out_of_domain=True)
    hsi_xr.write(estimate.assign_attrs(datetime=TAKEN), folder / "cube.tif")
    (folder / "panels.csv").write_text(_panels(hsi_xr.open(folder / "cube.tif")))
    return folder


def _panels(cube: xr.DataArray) -> str:
    """A table of spectra three times as bright as the estimate."""
    lines = ["name,x,y,size,450,550,650"]
    for name, (x, y, size) in PANELS.items():
        spectrum = 3 * cube.hsi.spectrum(x, y, size=size).sel(wavelength=[450, 550, 650])
        values = ",".join(f"{value:.4f}" for value in spectrum.values)
        lines.append(f"{name},{x},{y},{size or ''},{values}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def workspace(request, inputs, tmp_path, monkeypatch) -> Path:
    """The current folder of a page, with its inputs."""
    page: Path = request.param
    shutil.copytree(inputs, tmp_path, dirs_exist_ok=True)
    if page.stem in WITH_CUBE:
        shutil.copytree(request.getfixturevalue("cube"), tmp_path, dirs_exist_ok=True)
    if page.stem == "object-storage":
        request.getfixturevalue("bucket")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    return page


@pytest.mark.parametrize("workspace", WITH_CODE, indirect=True, ids=map(_name, WITH_CODE))
def test_code_runs(workspace, capsys):
    namespace: dict[str, object] = {"__name__": "__main__"}
    printed = ""
    for block in blocks(workspace):
        if block.is_output:
            assert prints(block, printed), f"{block.page.name} shows\n{block.text}not\n{printed}"
        run_block(block, namespace)
        printed = capsys.readouterr().out


def test_the_example_scripts_run(inputs, cube, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MPLBACKEND", "agg")
    scripts = {path.stem: runpy.run_path(str(path)) for path in (ROOT / "examples").glob("*.py")}
    written = tmp_path / "orthomosaic.tif"
    scripts["orthomosaic"]["main"](str(inputs / "scene.tif"), str(written), TAKEN)
    assert written.exists() and written.with_suffix(".json").exists()
    assert capsys.readouterr().out.startswith("400 nm")
    place = ("500031.0", "4649972.5")
    scripts["analysis"]["main"](
        str(cube / "cube.tif"), *place, str(inputs / "library.csv"), str(tmp_path / "analysis")
    )
    assert "degrees from" in capsys.readouterr().out
    assert len(list((tmp_path / "analysis").glob("*.png"))) == 4


@pytest.fixture
def bucket(inputs, monkeypatch):
    """An object store on this machine that holds `s3://bucket/scene.tif`."""
    s3fs = pytest.importorskip("s3fs", reason="object storage needs s3fs")
    with serving() as address:
        for name in [name for name in os.environ if name.startswith(("AWS_", "FSSPEC_"))]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        store = s3fs.S3FileSystem(endpoint_url=address, use_listings_cache=False)
        store.mkdir("bucket")
        store.put_file(str(inputs / "scene.tif"), "bucket/scene.tif")
        yield


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The documentation as HTML, built in strict mode: no warning, no dead link."""
    if ABSENT:
        pytest.skip(f"{', '.join(ABSENT)} not installed: `pip install --group docs`")
    folder = tmp_path_factory.mktemp("site")
    path = os.pathsep.join([str(ROOT), str(ROOT / "plugins/rio"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


class _Loaded(HTMLParser):
    """Collects what a page loads, and not what it links."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in {"script", "img", "iframe", "source"} and values.get("src"):
            self.found.append(str(values["src"]))
        if tag == "link" and values.get("rel") not in {"canonical", "next", "prev"}:
            self.found.append(str(values.get("href")))


@pytest.mark.slow
def test_the_site_loads_nothing_from_elsewhere(site):
    pages = sorted(site.glob("**/*.html"))
    assert len(pages) > 20
    for page in pages:
        loaded = _Loaded()
        loaded.feed(page.read_text("utf-8"))
        assert loaded.found
        assert not [url for url in loaded.found if re.match(r"(https?:)?//", url)], page.name


@pytest.mark.slow
def test_the_api_page_has_every_public_name(site):
    page = (site / "api.html").read_text("utf-8")
    public = {*hsi_xr.__all__} - {"__version__", "errors"}
    assert not [name for name in sorted(public) if f'id="hsi_xr.{name}"' not in page]


REPOSITORY = [page for page in PAGES if page.parent.name != "docs"] + [
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
]


@pytest.mark.parametrize("page", REPOSITORY, ids=_name)
def test_links_of_files_outside_the_site_resolve(page):
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?://", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target), link


def _anchors(page: Path) -> set[str]:
    """Anchors that readers make of headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), flags=re.MULTILINE)
    words = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {word.strip().replace(" ", "-") for word in words}


def test_code_is_no_wider_than_a_page():
    pages = [page for page in WITH_CODE if page.parent in (ROOT, ROOT / "docs")]
    code = [(page.name, block) for page in pages for block in blocks(page)]
    lines = [(name, line) for name, block in code for line in block.text.splitlines()]
    assert not [(name, line) for name, line in lines if len(line) > WIDTH]


def test_the_diagram_of_the_structure_shows_the_import_contract():
    drawn = runpy.run_path(str(ROOT / "docs/images/structure.py"))["draw"]()
    current = (ROOT / "docs/images/structure.svg").read_text("utf-8")
    assert current == drawn, "run `python docs/images/structure.py`"


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 120
