"""Corrupt, foreign or inconsistent weights raise an error that names them."""

import json
import pickle
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

import hsi_xr
from hsi_xr.checkpoints import registry
from hsi_xr.checkpoints.card import checksum, read
from hsi_xr.checkpoints.weights import load_model, parameters, save_model
from hsi_xr.errors import InvalidCheckpoint


@pytest.fixture
def copy(tmp_path):
    """A copy of the default model in another folder."""
    card = registry.find("default")
    for suffix in (".safetensors", ".json"):
        shutil.copy(card.weights.with_suffix(suffix), tmp_path / f"mine{suffix}")
    return tmp_path / "mine.safetensors"


def _edit(path, **changes):
    card = path.with_suffix(".json")
    card.write_text(json.dumps(json.loads(card.read_text()) | changes))


def test_the_default_model_is_small_and_documented():
    card = hsi_xr.models()[0]
    assert card.weights.stat().st_size <= 3e6
    assert card.sha256 == checksum(card.weights)
    assert card.data["parameters"] == pytest.approx(700_540, rel=0.01)
    assert {"training", "scores", "licence", "limits"} <= card.data.keys()


def test_a_model_in_a_folder_runs_like_a_shipped_one(copy):
    assert (
        load_model(read(copy)).state_dict().keys()
        == load_model(registry.find("default")).state_dict().keys()
    )


def test_a_saved_model_can_be_loaded(copy, tmp_path):
    model = load_model(read(copy))
    save_model(model, tmp_path / "again.safetensors", dict(read(copy).data))
    again = load_model(read(tmp_path / "again.safetensors"))
    for key, tensor in model.state_dict().items():
        assert again.state_dict()[key].equal(tensor)
    assert not list(tmp_path.glob("*.part"))


def test_a_saved_regression_gives_the_same_output(tmp_path):
    """Its coefficients nearly cancel; in half precision they would give other spectra."""
    card = registry.find("root-polynomial", untrained=True)
    model = registry.load("root-polynomial").build({"bands": 31, "level": "as-is"})
    rng = torch.Generator().manual_seed(2)
    rgb = 0.1 + 0.02 * torch.rand(500, 3, generator=rng)
    model.fit(rgb, (rgb @ torch.rand(3, 31, generator=rng)).sqrt())
    whole = {**card.data, "name": "mine", "version": "1"}
    whole |= {"config": {"bands": 31, "level": "as-is"}, "parameters": parameters(model)}
    save_model(model, tmp_path / "mine.safetensors", whole)
    again = load_model(read(tmp_path / "mine.safetensors"))
    picture = rgb.T.reshape(1, 3, 20, 25)
    assert again.network(picture).equal(model.network(picture))


def test_another_checksum_raises(copy):
    with copy.open("ab") as file:
        file.write(b"x")
    with pytest.raises(InvalidCheckpoint, match="sha256"):
        load_model(read(copy))


def test_a_pickle_raises_without_being_opened(copy):
    copy.write_bytes(pickle.dumps({"weights": 1}))
    _edit(copy, sha256=checksum(copy))
    with pytest.raises(InvalidCheckpoint, match="not a safetensors"):
        load_model(read(copy))


def test_weights_of_another_network_are_named(copy):
    state = load_file(copy)
    state["network.stem.weight"] = state["network.stem.weight"][:, :5].contiguous()
    state["stray"] = torch.zeros(2)
    del state["directions"]
    save_file(state, copy)
    _edit(copy, sha256=checksum(copy))
    with pytest.raises(
        InvalidCheckpoint, match=r"unknown stray; lacks directions; .*stem\.weight is \(32, 5"
    ):
        load_model(read(copy))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"schema": 9}, "schema 9"),
        ({"bands": {"centres_nm": [400, 500], "widths_nm": [10, 10]}}, "inconsistent"),
        ({"stride": "four"}, "stride"),
        ({"config": {"bands": 31, "colour": "red"}}, "config"),
        ({"config": {"bands": 31, "size": "huge"}}, "size must be"),
        ({"reconstructor": "r2d2"}, "no reconstructor"),
    ],
)
def test_invalid_cards_raise(copy, changes, says):
    _edit(copy, **changes)
    with pytest.raises(hsi_xr.errors.HsiError, match=says):
        load_model(read(copy))


def test_missing_and_malformed_cards_raise(copy):
    copy.with_suffix(".json").write_text("{")
    with pytest.raises(InvalidCheckpoint, match="not valid JSON"):
        read(copy)
    copy.with_suffix(".json").unlink()
    with pytest.raises(InvalidCheckpoint, match="has no card"):
        read(copy)
    with pytest.raises(InvalidCheckpoint, match="no weights file"):
        read(copy.with_name("other.safetensors"))
