"""Whatever a JSON file contains, validation reports what is wrong with it, in one line each."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hsi_xr
from tests.batch.tiles import TAKEN, cut
from tests.scenes import rgb_image

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from(["", ".", "\0", "file://[", "2026-13-45T00:00:00Z", "x" * 300, "Feature"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["href", "rel", "bands", "name"]), inner, max_size=2)
    ),
    max_leaves=4,
)


@pytest.fixture(scope="module")
def cubes(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("cubes")
    cut(folder / "tiles", rgb_image(24, 31), [0], [0])
    how = hsi_xr.Conversion(model="root-polynomial", datetime=TAKEN)
    assert hsi_xr.convert([folder / "tiles"], folder / "cubes", how).failures == []
    return folder / "cubes"


def key_paths(value, keys=()):
    """Yields the keys and indices that lead to each value of a JSON object."""
    yield keys
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from key_paths(inner, (*keys, key))


def replace(value, keys, new):
    if not keys:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[keys[0]] = replace(value[keys[0]], keys[1:], new)
    return copy


@pytest.mark.parametrize(
    "name", ["tile_0_0/tile_0_0.json", "collection.json", "models/*/mlm-item.json"]
)
@given(data=st.data())
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_content_of_a_json_file_stops_the_validation(cubes, name, data):
    (path,) = cubes.glob(name)
    whole = path.read_text("utf-8")
    stac = json.loads(whole)
    short = [keys for keys in key_paths(stac) if "coordinates" not in keys]
    keys = data.draw(st.sampled_from(short), label="keys")
    changed = replace(stac, keys, data.draw(anything, label="value"))
    try:
        path.write_text(json.dumps(changed), "utf-8")
        findings = hsi_xr.validate(cubes).findings
    finally:
        path.write_text(whole, "utf-8")
    assert all("\n" not in str(finding) for finding in findings)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "NaN", '{"stac_version": NaN}', "[" * 100_000, "9" * 400]
)
def test_malformed_json_is_reported(cubes, tmp_path, text):
    path = tmp_path / "item.json"
    path.write_text(text)
    (finding,) = hsi_xr.validate(path).findings
    assert finding.what.startswith(("it is not valid JSON", "it is not a JSON object"))
    assert finding.repair


@pytest.mark.parametrize("share", [0.0, 0.001, 0.01, 0.5, 0.99])
def test_a_truncated_product_is_reported_with_its_repair(cubes, tmp_path, share):
    whole = (cubes / "tile_0_0" / "tile_0_0.tif").read_bytes()
    path = tmp_path / "cube.tif"
    path.write_bytes(whole[: int(share * len(whole))])
    findings = hsi_xr.validate(path).findings
    assert findings
    assert all(finding.repair for finding in findings)


def test_circular_symbolic_links_are_followed_once(cubes, tmp_path):
    folder = tmp_path / "cubes"
    shutil.copytree(cubes, folder)
    (folder / "again").symlink_to(folder)
    (folder / "itself.json").symlink_to(folder / "itself.json")
    shutil.copytree(cubes.parent / "tiles", tmp_path / "tiles")
    assert hsi_xr.validate(folder).findings == []
