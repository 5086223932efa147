"""Published checkpoints become models: only tensors are read, and only those that fit."""

import json
import pickle

import numpy as np
import pytest
import torch

import hsi_xr
from hsi_xr.checkpoints import import_published, published
from hsi_xr.checkpoints.card import read
from hsi_xr.checkpoints.weights import load_model
from hsi_xr.errors import DestinationExists, InvalidCheckpoint, UnknownName, UsageError
from hsi_xr.networks.hscnn_plus import HSCNNPlus
from hsi_xr.networks.mst import MST, SnapshotMST
from hsi_xr.reconstructors.awan import Config
from tests.command_line import run
from tests.scenes import scene
from tests.stac_validation import SCHEMAS, validate


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return HSCNNPlus(31, blocks=2).eval()


@pytest.fixture
def checkpoint(network, tmp_path):
    """A checkpoint as the authors save it, with other entries of their training code."""
    path = tmp_path / "hscnn.pth"
    state = {f"module.{key}": tensor for key, tensor in network.state_dict().items()}
    torch.save({"epoch": 3, "iter": 4, "state_dict": state, "optimizer": {}}, path)
    return path


def test_a_checkpoint_becomes_a_folder_that_runs(network, checkpoint, tmp_path):
    folder = tmp_path / "hscnn"
    done = run("models", "import", "hscnn-plus", checkpoint, folder, "--licence", "MIT")
    assert done.exit_code == 0, done.stderr
    assert sorted(path.name for path in folder.iterdir()) == [
        *("card.json", "mlm-item.json", "model.safetensors")
    ]
    card = read(folder)
    assert card.config["blocks"] == 2 and card.data["licence"] == "MIT"
    rgb = torch.rand(1, 3, 9, 14)
    with torch.inference_mode():
        torch.testing.assert_close(load_model(card).network(rgb), network(rgb), atol=0, rtol=0)
    image = scene(33, 31)
    cube = hsi_xr.reconstruct(image, folder)
    assert np.isfinite(cube["reflectance"].values).all()
    assert cube.attrs["hsi_xr_model_sha256"] == card.sha256
    tiled = hsi_xr.reconstruct(image, folder, tile=16, survey=hsi_xr.survey(image, folder))
    np.testing.assert_allclose(tiled["reflectance"], cube["reflectance"], atol=1e-4)


def test_its_mlm_item_is_valid_and_correct(checkpoint, tmp_path):
    card = import_published("hscnn-plus", checkpoint, tmp_path / "m")
    item = json.loads((tmp_path / "m/mlm-item.json").read_text())
    folder = SCHEMAS if SCHEMAS.is_dir() else None
    assert not (validate(item, folder) and folder)
    properties, asset = item["properties"], item["assets"]["weights"]
    assert properties["mlm:total_parameters"] == card.data["parameters"]
    assert asset["file:checksum"] == f"1220{card.sha256}"
    assert asset["file:size"] == card.weights.stat().st_size
    names = {band["name"] for band in properties["bands"]}
    used = [*properties["mlm:input"][0]["bands"], *properties["mlm:output"][0]["bands"]]
    assert names == set(used) and len(used) == 34
    assert properties["bands"][3]["eo:center_wavelength"] == 0.4
    assert properties["license"] == "other"


def test_an_existing_folder_is_kept(checkpoint, tmp_path):
    (tmp_path / "m").mkdir()
    with pytest.raises(DestinationExists):
        import_published("hscnn-plus", checkpoint, tmp_path / "m")
    import_published("hscnn-plus", checkpoint, tmp_path / "m", overwrite=True)
    assert not list(tmp_path.glob("*.part"))


def test_a_folder_with_anything_else_in_it_is_never_replaced(checkpoint, tmp_path):
    with pytest.raises(DestinationExists, match=r"hscnn\.pth' is not part of a model"):
        import_published("hscnn-plus", checkpoint, tmp_path, overwrite=True)
    with pytest.raises(DestinationExists, match="not part of a model"):
        import_published("hscnn-plus", checkpoint, checkpoint, overwrite=True)
    assert checkpoint.is_file()


def test_weights_that_are_not_finite_raise(network, tmp_path):
    state = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    state["conv_out.weight"][0] = torch.nan
    torch.save(state, tmp_path / "nan.pth")
    with pytest.raises(InvalidCheckpoint, match=r"'conv_out\.weight' contains values that are not"):
        import_published("hscnn-plus", tmp_path / "nan.pth", tmp_path / "m")


def test_another_number_of_bands_raises_before_measuring(tmp_path):
    torch.save(HSCNNPlus(28, blocks=2).state_dict(), tmp_path / "c.pth")
    with pytest.raises(InvalidCheckpoint, match=r"have 28 bands.*wavelengths for 31"):
        import_published("hscnn-plus", tmp_path / "c.pth", tmp_path / "m")


@pytest.mark.parametrize(("width", "level"), [(96, "min-max"), (200, "as-is")])
def test_weights_of_awan_get_the_encoding_of_their_training(width, level):
    """Images over 255 for the paper, images stretched to [0, 1] for the benchmark."""
    assert Config.from_published(bands=31, width=width, blocks=8).level == level


class _Code:
    def __reduce__(self):
        return (print, ("this ran",))


def test_a_pickle_raises_and_none_of_its_code_runs(tmp_path, capsys):
    path = tmp_path / "whole.pth"
    torch.save(_Code(), path)
    with pytest.raises(InvalidCheckpoint, match=r"run any code.*state_dict"):
        import_published("hscnn-plus", path, tmp_path / "m")
    path.write_bytes(pickle.dumps(_Code()))
    done = run("models", "import", "awan", path, tmp_path / "m")
    assert done.exit_code == 3 and "Traceback" not in done.stderr
    assert "this ran" not in capsys.readouterr().out
    assert not (tmp_path / "m").exists()


def test_files_that_are_not_checkpoints_are_named(tmp_path):
    for name, content in {
        **{"page.pth": b"<!DOCTYPE html>", "empty.pth": b"", "cut.pth": b"PK\x03\x04" + bytes(40)},
        **{"short.pth": b"\x80\x02.", "odd.safetensors": b"\xff" * 40},
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InvalidCheckpoint, match=name):
            import_published("awan", tmp_path / name, tmp_path / "m")
    with pytest.raises(InvalidCheckpoint, match="check the path"):
        import_published("awan", tmp_path / "no.pth", tmp_path / "m")


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<!DOCTYPE html>\n<title>", r"is a web page \(HTML\), not weights; open its address"),
        (b"\xef\xbb\xbf\n<!-- x --><HTML>", r"is a web page \(HTML\)"),
        (b"<html><title>T\xe9l\xe9chargement</title></html>", r"is a web page \(HTML\)"),
        (b"<?xml version='1.0'?>\n<Error>", "is an XML document, not weights: .*<Error>"),
        (b'{"message": "Not Found"}', "is JSON, not weights: .*Not Found.*download it again"),
        (
            b"Invalid username\n",
            "is plain text, not weights: 'Invalid username'; check its",
        ),
        (LFS, "is a pointer of Git LFS, .*`git lfs pull`"),
        (b"", "is empty; download it again"),
    ],
)
def test_a_download_that_is_not_weights_is_called_what_it_is(tmp_path, content, says, suffix):
    path = tmp_path / f"c{suffix}"
    path.write_bytes(content)
    with pytest.raises(InvalidCheckpoint, match=says) as told:
        import_published("awan", path, tmp_path / "m")
    assert str(told.value).count("download it again") <= 1
    assert not (tmp_path / "m").exists()


def test_a_pointer_in_place_of_the_weights_of_a_model_is_called_that(checkpoint, tmp_path):
    card = import_published("hscnn-plus", checkpoint, tmp_path / "m")
    card.weights.write_bytes(LFS)
    with pytest.raises(InvalidCheckpoint, match="git lfs pull"):
        load_model(card)


def test_the_model_does_not_depend_on_prefixes_and_containers(network, checkpoint, tmp_path):
    wanted = import_published("hscnn-plus", checkpoint, tmp_path / "wanted")
    state = {f"model._orig_mod.{key}": each for key, each in network.state_dict().items()}
    torch.save({"epoch": 1, "net": state, "optimizer": {}}, tmp_path / "c.pth")
    card = import_published("hscnn-plus", tmp_path / "c.pth", tmp_path / "m")
    found, expected = load_model(card).state_dict(), load_model(wanted).state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)


def test_another_network_is_recognised(checkpoint, tmp_path):
    with pytest.raises(InvalidCheckpoint, match="hscnn_plus"):
        import_published("awan", checkpoint, tmp_path / "m")
    assert not list(tmp_path.glob("m*"))


def test_systems_without_published_weights_raise(checkpoint, tmp_path):
    with pytest.raises(UsageError, match="no weights of 'srcgan' were published"):
        import_published("srcgan", checkpoint, tmp_path / "m")
    with pytest.raises(UnknownName, match="did you mean 'awan'"):
        import_published("awann", checkpoint, tmp_path / "m")
    with pytest.raises(UsageError, match=r"snapshots.*published\.load\('bisrnet'"):
        import_published("bisrnet", checkpoint, tmp_path / "m")


@pytest.mark.parametrize("name", ["hscnn_plus", "hscnn-plus"])
def test_names_of_weights_and_of_systems_are_both_accepted(checkpoint, tmp_path, name):
    assert import_published(name, checkpoint, tmp_path / "m").reconstructor == "hscnn-plus"


def test_rgb_weights_are_not_snapshot_weights(tmp_path):
    """`mst-l` is the system for RGB, and `mst_l` the weights for snapshots."""
    torch.save(MST(31).state_dict(), tmp_path / "rgb.pth")
    torch.save(SnapshotMST().state_dict(), tmp_path / "cassi.pth")
    with pytest.raises(InvalidCheckpoint, match="these are the tensors of mst_l"):
        import_published("mst-l", tmp_path / "cassi.pth", tmp_path / "m")
    with pytest.raises(UsageError, match="snapshots"):
        import_published("mst_l", tmp_path / "cassi.pth", tmp_path / "m")
    assert published.sizes("mst_l_rgb", torch.load(tmp_path / "rgb.pth", weights_only=True)) == {
        "bands": 31
    }


def test_a_folder_without_its_card_raises(checkpoint, tmp_path):
    import_published("hscnn-plus", checkpoint, tmp_path / "m")
    (tmp_path / "m/card.json").unlink()
    done = run("models", "show", tmp_path / "m")
    assert done.exit_code == 3 and "has no card" in done.stderr


def test_functions_are_not_shadowed_by_modules_of_their_name():
    """A module that is imported becomes an attribute of its package."""
    import hsi_xr.checkpoints as checkpoints

    for name in checkpoints.__all__:
        assert callable(getattr(checkpoints, name)), name
        assert name in dir(checkpoints)
