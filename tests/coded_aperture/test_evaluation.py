"""Networks on simulated snapshots: scores of their outputs, and the protocol in every report."""

import csv
import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from hsi_xr.checkpoints import published
from hsi_xr.coded_aperture import scores
from hsi_xr.coded_aperture.evaluation import SnapshotEvaluation, evaluate, reconstruct
from hsi_xr.datasets.kaist import Kaist
from hsi_xr.errors import InvalidCheckpoint, InvalidData, UnknownName, UsageError
from hsi_xr.networks.awan import AWAN
from hsi_xr.networks.bisrnet import BiSRNet
from hsi_xr.networks.mst import SIZES, SnapshotMST
from hsi_xr.networks.mst_plus_plus import SnapshotMSTPlusPlus
from tests.kaist_files import SIZE, aperture, scene, write_kaist
from tests.mat_files import cut, write_v5
from tests.scenes import DATA

RECORDED = DATA.parent / "parity" / "bisrnet_published.safetensors"
ROWS, COLUMNS = SIZE

NETWORKS = {
    "bisrnet": (BiSRNet, "Mask"),
    "mst_l": (lambda bands=28: SnapshotMST(bands, SIZES["L"]), "Phi"),
    "mst_m": (lambda bands=28: SnapshotMST(bands, SIZES["M"]), "Phi"),
    "mst_plus_plus_cassi": (SnapshotMSTPlusPlus, "Mask"),
    "mst_s": (lambda bands=28: SnapshotMST(bands, SIZES["S"]), "Phi"),
}
"""Constructor of each network, and the input with which its authors give it the mask."""


def save_checkpoint(network: nn.Module, path: Path) -> Path:
    """Save a network as the published training code does."""
    state = {f"module.{key}": tensor for key, tensor in network.state_dict().items()}
    torch.save({"epoch": 300, "state_dict": state}, path)
    return path


def perturbed(make, *sizes: int) -> nn.Module:
    """Build a network and add noise to its initial weights, so that none is a special value."""
    torch.manual_seed(0)
    network = make(*sizes).eval()
    for parameter in network.parameters():
        parameter.data += 0.03 * torch.randn_like(parameter)
    return network


@pytest.fixture
def kaist(tmp_path) -> Kaist:
    return Kaist(write_kaist(tmp_path / "kaist"), test_size=SIZE)


@pytest.fixture
def weights(tmp_path) -> Path:
    return save_checkpoint(perturbed(BiSRNet), tmp_path / "bisrnet.pth")


def reconstruct_by_hand(
    network: nn.Module, mask_as: str, cube: np.ndarray, mask: np.ndarray
) -> np.ndarray:
    """Compute y, H and the mask input from their formulas, and apply the network."""
    bands, rows, columns = cube.shape
    y, phi = (
        np.zeros(shape, "float32") for shape in ((rows, columns + 54), (28, rows, columns + 54))
    )
    for i in range(bands):
        y[:, 2 * i : 2 * i + columns] += mask * cube[i]
        phi[i, :, 2 * i : 2 * i + columns] = mask
    h = np.stack([y[:, 2 * i : 2 * i + columns] * 2 / 28 for i in range(bands)])
    mask_input = phi if mask_as == "Phi" else np.stack([mask] * bands)
    with torch.no_grad():
        return network(torch.from_numpy(h)[None], torch.from_numpy(mask_input)[None])[0].numpy()


def test_every_network_for_snapshots_is_tested_here():
    assert set(NETWORKS) == {*published.SNAPSHOT_NETWORKS}


@pytest.mark.parametrize("name", NETWORKS)
def test_scores_are_those_of_the_outputs_for_the_published_inputs(kaist, tmp_path, name):
    make, mask_as = NETWORKS[name]
    network = perturbed(make)
    result = evaluate(
        name.replace("_", "-"), save_checkpoint(network, tmp_path / "weights.pth"), kaist
    )
    assert [scored.scene for scored in result.scenes] == [f"scene{n:02d}" for n in range(1, 11)]
    for number, scored in list(enumerate(result.scenes, 1))[::3]:
        truth = scene(number, *SIZE).transpose(2, 0, 1)
        estimate = reconstruct_by_hand(network, mask_as, truth, aperture(*SIZE))
        assert scored.scores["psnr"] == pytest.approx(scores.psnr(estimate, truth), abs=0.1)
        assert scored.scores["ssim"] == pytest.approx(scores.ssim(estimate, truth), abs=1e-3)
        assert scored.scores["sam"] == pytest.approx(scores.sam(estimate, truth), abs=0.05)
    assert result.protocol.inputs == ("H", mask_as)


@pytest.fixture
def published_weights(tmp_path) -> Path:
    """The published weights of BiSRNet."""
    if not RECORDED.is_file():
        pytest.skip(f"no published weights at {RECORDED}")
    prefix, path = "weights/", tmp_path / "published.pth"
    tensors = load_file(RECORDED).items()
    torch.save({key.removeprefix(prefix): t for key, t in tensors if key.startswith(prefix)}, path)
    return path


def test_published_weights_have_the_scores_computed_by_hand(kaist, published_weights):
    network = BiSRNet().eval()
    network.load_state_dict(torch.load(published_weights, weights_only=True))
    result = evaluate("bisrnet", published_weights, kaist)
    for number, scored in enumerate(result.scenes, 1):
        truth = scene(number, *SIZE).transpose(2, 0, 1)
        estimate = reconstruct_by_hand(network, "Mask", truth, aperture(*SIZE))
        # rounding may flip the sign of a binary activation
        assert scored.scores["psnr"] == pytest.approx(scores.psnr(estimate, truth), abs=0.1)
        assert scored.scores["sam"] == pytest.approx(scores.sam(estimate, truth), abs=0.05)


def test_published_weights_perform_best_on_the_registered_inputs(published_weights):
    """They are worse on H times the mask, and on both inputs in reverse order."""
    truth, mask = scene(1, 66, 90, patch=40).transpose(2, 0, 1).copy(), aperture(66, 90)
    network = published.load("bisrnet", torch.load(published_weights, weights_only=True))
    inputs = published.NETWORKS["bisrnet"].inputs
    psnr = scores.psnr(reconstruct(network, inputs, truth, mask), truth)
    for others in (("HM", "Mask"), ("Mask", "H")):
        assert psnr > 2 + scores.psnr(reconstruct(network, others, truth, mask), truth)


def test_a_network_that_returns_the_truth_has_perfect_scores():
    class Oracle(nn.Module):
        def __init__(self, cube):
            super().__init__()
            self.cube = nn.Parameter(torch.from_numpy(cube)[None])

        def forward(self, estimate, phi):
            assert estimate.shape == self.cube.shape and phi.shape[-1] == COLUMNS + 54
            return self.cube

    truth = scene(4, *SIZE).transpose(2, 0, 1).copy()
    estimate = reconstruct(Oracle(truth), ("H", "Phi"), truth, aperture(*SIZE))
    assert scores.scores(estimate, truth) == {"psnr": np.inf, "ssim": 1, "sam": 0}


@pytest.fixture
def result(kaist, weights) -> SnapshotEvaluation:
    return evaluate("bisrnet", weights, kaist, device="cpu")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_table_has_every_scene_the_mean_and_the_protocol(result, kaist, weights):
    text = result.markdown()
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 2 + 10 + 1 and len({len(line) for line in table}) == 1
    mean = np.mean([scored.scores["psnr"] for scored in result.scenes])
    assert table[-1].split() == [
        "|", "mean", "|", f"{mean:.2f}", "|", f"{result.mean['ssim']:.4f}", "|",
        f"{result.mean['sam']:.2f}", "|",
    ]  # fmt: skip
    for fact in ("bisrnet.pth", sha256(weights), "TSA_simu_data/mask.mat", sha256(kaist.mask_path),
                 "H and Mask", "2/28", "19 x 26 px", "453.5-648 nm", "2 px apart", "noise none",
                 "device cpu", "256 levels", "peak 255", "11 x 11", "degrees"):  # fmt: skip
        assert fact in text
    assert str(kaist.folder) not in text


def test_csv_has_a_row_for_every_scene_with_its_protocol(result, weights):
    rows = list(csv.DictReader(io.StringIO(result.csv())))
    assert [row["scene"] for row in rows] == [*(f"scene{n:02d}" for n in range(1, 11)), "mean"]
    assert float(rows[6]["ssim"]) == result.scenes[6].scores["ssim"]
    assert float(rows[10]["sam"]) == result.mean["sam"]
    assert {row["weights_sha256"] for row in rows} == {sha256(weights)}
    assert (rows[0]["inputs"], rows[0]["size"], rows[0]["step"]) == ("H Mask", "19 26", "2")


def test_json_has_definitions_and_every_score(result):
    report = json.loads(result.json())
    assert [row["scene"] for row in report["scenes"]] == [scored.scene for scored in result.scenes]
    assert report["mean"] == result.mean and set(report["scores"]) == set(result.mean)
    assert report["protocol"]["size"] == [19, 26] and report["protocol"]["noise"] == "none"


TRUTH = "TSA_simu_data/Truth/scene07.mat"
MASK = "TSA_simu_data/mask.mat"


def overwrite_with(**variables: np.ndarray):
    """Return a function that replaces a file by one with these variables."""
    return lambda path: write_v5(path, **variables)


@pytest.mark.parametrize(
    ("name", "spoil", "words"),
    [
        (TRUTH, lambda p: p.unlink(), r"1 problem;(.|\n)*scene07\.mat' is missing"),
        (TRUTH, cut, r"scene07\.mat' is truncated"),
        (TRUTH, overwrite_with(img=scene(7, COLUMNS, ROWS)), "26 x 19 x 28; expected 19 x 26"),
        (TRUTH, overwrite_with(img=scene(7, *SIZE)[..., 1:]), "19 x 26 x 27"),
        (TRUTH, overwrite_with(cube=scene(7, *SIZE)), "no variable 'img'; it has cube"),
        (TRUTH, overwrite_with(img=65535 * scene(7, *SIZE)), r"scene07' has values .* in \[0, 1\]"),
        (TRUTH, overwrite_with(img=scene(7, *SIZE) / np.float32(np.nan)), "to nan, but they must"),
        (MASK, lambda p: p.unlink(), r"mask\.mat' cannot be read"),
        (MASK, overwrite_with(mask=aperture(COLUMNS, ROWS)), r"has shape \(26, 19\)"),
        (MASK, overwrite_with(mask=0 * aperture(*SIZE)), r"mask\.mat' has values from 0 to 0"),
    ],
)
def test_invalid_files_are_refused_before_anything_is_scored(kaist, weights, name, spoil, words):
    spoil(kaist.folder / name)
    scored = []
    with pytest.raises(InvalidData, match=words):
        evaluate("bisrnet", weights, kaist, on_scene=scored.append)
    assert scored == []


@pytest.mark.parametrize(
    ("network", "make", "error", "words"),
    [
        ("bisnet", BiSRNet, UnknownName, "did you mean 'bisrnet'"),
        (
            "mst-plus-plus",
            BiSRNet,
            UsageError,
            "reads RGB images, not snapshots.*mst_plus_plus_cassi",
        ),
        ("mst-s", NETWORKS["mst_m"][0], InvalidCheckpoint, r"x\.pth'.*not one of mst_s.*of mst_m$"),
        ("bisrnet", lambda: AWAN(31, 32, blocks=1), InvalidCheckpoint, "the tensors of awan$"),
        ("bisrnet", lambda: BiSRNet(12), InvalidCheckpoint, "12 bands, but the scenes have 28"),
    ],
)
def test_other_networks_and_weights_are_refused(tmp_path, kaist, network, make, error, words):
    with pytest.raises(error, match=words):
        evaluate(network, save_checkpoint(make(), tmp_path / "x.pth"), kaist)


def test_weights_that_are_missing_or_more_than_tensors_are_refused(tmp_path, kaist):
    with pytest.raises(InvalidCheckpoint, match="check the path"):
        evaluate("bisrnet", tmp_path / "no.pth", kaist)
    torch.save(BiSRNet(), tmp_path / "whole.pth")
    with pytest.raises(InvalidCheckpoint, match="more than tensors"):
        evaluate("bisrnet", tmp_path / "whole.pth", kaist)


def test_outputs_that_are_not_finite_are_not_scored(tmp_path, kaist):
    network = perturbed(BiSRNet)
    network.conv_out.weight.data.fill_(3e38)
    with pytest.raises(InvalidData, match="not finite for 'TSA_simu_data/Truth/scene01'"):
        evaluate("bisrnet", save_checkpoint(network, tmp_path / "x.pth"), kaist)


def test_scenes_smaller_than_an_ssim_window_are_refused(tmp_path, weights):
    data = Kaist(write_kaist(tmp_path / "small", (10, 26)), test_size=(10, 26))
    with pytest.raises(UsageError, match="10 x 26 px are smaller"):
        evaluate("bisrnet", weights, data)
