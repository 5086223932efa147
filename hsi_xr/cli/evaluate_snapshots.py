"""`hsi-xr evaluate-snapshots`."""

from contextlib import nullcontext
from pathlib import Path

import click

from hsi_xr.cli import _console
from hsi_xr.cli._console import log


@click.command("evaluate-snapshots")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--network",
    required=True,
    metavar="NAME",
    help="Network of the weights: mst-s, mst-m, mst-l, mst-plus-plus-cassi or bisrnet.",
)
@click.option(
    "--weights",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Published checkpoint (.pth), or a .safetensors file.",
)
@click.option(
    "--size",
    nargs=2,
    type=click.IntRange(min=1),
    default=(256, 256),
    show_default=True,
    metavar="ROWS COLUMNS",
    help="Size of scenes and mask; published tables use 256 256.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for scores.json, scores.csv and scores.md.",
)
@click.option("--overwrite", is_flag=True, help="Replace an earlier evaluation in the folder.")
@_console.options
def command(
    folder: Path,
    network: str,
    weights: Path,
    size: tuple[int, int],
    device: str,
    out: Path | None,
    overwrite: bool,
) -> None:
    """Score a network for coded-aperture snapshots on KAIST.

    FOLDER contains TSA_simu_data with mask.mat and Truth/scene01.mat to scene10.mat. Snapshots are
    simulated without noise and reconstructed with published weights. Prints a row for each scene
    and one for the mean, the hashes of weights and mask, and the definition of each score.
    """
    from hsi_xr.coded_aperture.evaluation import SnapshotScores, evaluate
    from hsi_xr.datasets.kaist import Kaist
    from hsi_xr.evaluation import report_files

    def report(scores: SnapshotScores) -> None:
        log.info("%s: PSNR %.2f dB", scores.scene, scores.scores["psnr"])

    data = Kaist(folder, test_size=size)
    target = (
        report_files.staging_folder(out, overwrite=overwrite) if out is not None else nullcontext()
    )
    with target as staging:
        result = evaluate(network, weights, data, device=device, on_scene=report)
        if staging is not None:
            report_files.write(result, staging)
    click.echo(result.markdown(), nl=False)
