import json
import subprocess
import sys

import hsi_xr
from tests.command_line import run

SYSTEMS = {
    *("awan", "ddpm", "hscnn-plus", "mst-l", "mst-plus-plus"),
    *("sdp-mst-plus-plus", "srcgan"),
}
READY = {"guided-posterior", "r2h-diff", "root-polynomial"}


def _lines() -> list[str]:
    """Returns the lines of the table, without the note below it."""
    lines = run("models").stdout.splitlines()
    return lines[: lines.index("")]


def test_the_table_has_one_line_for_each_model_and_system():
    head, *lines = _lines()
    assert head.startswith("NAME")
    assert [line.split()[0] for line in lines] == [card.call for card in hsi_xr.models()]
    assert {line.split()[1] for line in lines} == SYSTEMS | READY
    assert {line.split()[0] for line in lines if line.split()[2] == "no"} == SYSTEMS


def test_every_listed_name_is_known():
    for line in _lines()[1:]:
        assert run("models", "show", line.split()[0]).exit_code == 0


def test_json_contains_the_cards_and_whether_there_are_weights():
    listed = json.loads(run("models", "--json").stdout)
    for one, card in zip(listed, hsi_xr.models(), strict=True):
        assert bool(one.pop("weights")) == card.trained
        assert one == json.loads(json.dumps(dict(card.data)))


def test_one_model_is_shown_by_name_or_path():
    card = hsi_xr.models()[0]
    assert card.weights
    by_name = json.loads(run("models", "show", card.weights.stem, "--json").stdout)
    by_path = json.loads(run("models", "show", card.weights, "--json").stdout)
    assert by_name == by_path
    text = run("models", "show", card.weights.stem).stdout
    assert f"sha256: {card.sha256}" in text
    assert "400, 410 ... 700 (31)" in text


def test_listing_models_loads_no_weights():
    lines = (
        "from hsi_xr.cli import cli; cli(['models'], standalone_mode=False)\n"
        "import sys; print({'torch', 'rasterio'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
