"""ICVL: natural hyperspectral scenes of Ben-Gurion University."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hsi_xr.band_grid import Bands
from hsi_xr.datasets import _camera, _mat, _scenes
from hsi_xr.datasets._base import COMMON, Coding, DataSet, Pair, Splits

FULL_SCALE = 4095
"""Largest value of 12 bits."""

_VALIDATION = """
bguCAMP_0514-1718 eve_0331-1606 gavyam_0823-0950-1 lst_0408-1004 nachal_0823-1152 objects_0924-1617
objects_0924-1637 omer_0331-1118 peppers_0503-1332 prk_0328-1037 sat_0406-1157-1
"""
VALIDATION = tuple(_VALIDATION.split())

_TRAIN = """
4cam_0411-1640-1 4cam_0411-1648 bguCAMP_0514-1659 bguCAMP_0514-1711 bguCAMP_0514-1712
bguCAMP_0514-1723 bguCAMP_0514-1724 BGU_0403-1419-1 bgu_0403-1439 bgu_0403-1444 bgu_0403-1459
bgu_0403-1511 bgu_0403-1523 bgu_0403-1525 BGU_0522-1113-1 BGU_0522-1127 BGU_0522-1136 BGU_0522-1201
BGU_0522-1203 BGU_0522-1211 BGU_0522-1216 BGU_0522-1217 bulb_0822-0903 bulb_0822-0909
CC_40D_2_1103-0917 eve_0331-1549 eve_0331-1551 eve_0331-1601 eve_0331-1602 eve_0331-1618
eve_0331-1632 eve_0331-1633 eve_0331-1646 eve_0331-1647 eve_0331-1656 eve_0331-1657 eve_0331-1702
eve_0331-1705 Flower_0325-1336 gavyam_0823-0930 gavyam_0823-0933 gavyam_0823-0944 gavyam_0823-0945
grf_0328-0949 hill_0325-1219 hill_0325-1228 hill_0325-1235 hill_0325-1242 IDS_COLORCHECK_1020-1215-1
IDS_COLORCHECK_1020-1223 Labtest_0910-1502 Labtest_0910-1504 Labtest_0910-1506 Labtest_0910-1509
Labtest_0910-1510 Labtest_0910-1511 Labtest_0910-1513 lehavim_0910-1600 lehavim_0910-1602
lehavim_0910-1605 lehavim_0910-1607 lehavim_0910-1610 Lehavim_0910-1622 Lehavim_0910-1626
Lehavim_0910-1627 Lehavim_0910-1629 Lehavim_0910-1630 Lehavim_0910-1633 Lehavim_0910-1635
Lehavim_0910-1636 Lehavim_0910-1640 Lehavim_0910-1708 Lehavim_0910-1716 Lehavim_0910-1717
Lehavim_0910-1718 Lehavim_0910-1725 lst_0408-0950 lst_0408-1012 Master20150112_f2_colorchecker
Master2900k Master5000K Master5000K_2900K Maz0326-1038 maz_0326-1048 mor_0328-1209-2
nachal_0823-1038 nachal_0823-1040 nachal_0823-1047 nachal_0823-1110 nachal_0823-1117
nachal_0823-1118 nachal_0823-1121 nachal_0823-1127 nachal_0823-1132 nachal_0823-1144
nachal_0823-1145 nachal_0823-1147 nachal_0823-1149 nachal_0823-1210-4 nachal_0823-1213
nachal_0823-1214 nachal_0823-1217 nachal_0823-1220 nachal_0823-1222 nachal_0823-1223 negev_0823-1003
negev_0823-1005 objects_0924-1550 objects_0924-1556 objects_0924-1557 objects_0924-1558
objects_0924-1600 objects_0924-1601 objects_0924-1602 objects_0924-1605 objects_0924-1607
objects_0924-1608 objects_0924-1610 objects_0924-1611 objects_0924-1612 objects_0924-1614
objects_0924-1619 objects_0924-1620 objects_0924-1622 objects_0924-1623 objects_0924-1624
objects_0924-1625 objects_0924-1627 objects_0924-1628 objects_0924-1629 objects_0924-1631
objects_0924-1632 objects_0924-1633 objects_0924-1634 objects_0924-1636 objects_0924-1638
objects_0924-1639 objects_0924-1641 objects_0924-1645 objects_0924-1648 objects_0924-1650
objects_0924-1652 omer_0331-1055 omer_0331-1102 omer_0331-1104 omer_0331-1119 omer_0331-1130
omer_0331-1131 omer_0331-1135 omer_0331-1150 omer_0331-1159 peppers_0503-1308 peppers_0503-1311
peppers_0503-1315 peppers_0503-1330 pepper_0503-1228 pepper_0503-1229 pepper_0503-1236 plt_0411-1037
plt_0411-1046 plt_0411-1116 plt_0411-1155 plt_0411-1200-1 plt_0411-1207 plt_0411-1210 plt_0411-1211
plt_0411-1232-1 prk_0328-0945 prk_0328-1025 prk_0328-1031 prk_0328-1034 prk_0328-1045 Ramot0325-1364
ramot_0325-1322 rmt_0328-1241-1 rmt_0328-1249-1 rsh2_0406-1505 rsh_0406-1343 rsh_0406-1356
rsh_0406-1413 rsh_0406-1427 rsh_0406-1441-1 rsh_0406-1443 sami_0331-1019 sat_0406-1107 sat_0406-1129
sat_0406-1130 selfie_0822-0906 strt_0331-1027 tree_0822-0853 ulm_0328-1118
"""
TRAIN = tuple(_TRAIN.split())


class Icvl:
    """Opens 202 scenes of about 1392 x 1300 pixels in 31 bands (400-700 nm); radiance.

    Layout:
        - `4cam_0411-1640-1.mat` ...: MATLAB v7.3, variable `rad`, divided by 4095

    The cubes are stored sideways and rotated by 90 degrees counter-clockwise here, as HSGAN and
    others do, which gives them the orientation of the `rgb` in the same file. Sizes differ by
    scene. There is no official split; the splits are those of HSGAN, 191 scenes for training and
    11 for validation, one more scene than the site states.

    Args:
        folder: Contains these files.
        camera: Camera that renders the images, which are linear: a name from `hsi_xr.cameras()`,
            the path of a JSON file in the format of rawtoaces-data, or (3, 31) sensitivities.
            Required. The `rgb` of the files is not read: it is for display, and may be larger.

    Raises:
        MissingFact: No camera is given.

    Source: Arad, Ben-Shahar 2016, "Sparse Recovery of Hyperspectral Signal from Natural RGB
        Images" (ECCV), https://icvl.cs.bgu.ac.il/hyperspectral; splits of
        https://github.com/zhaoyuzhi/HSGAN.

    Licence: the files state none; see the site for its terms.
    """

    bands: Bands = COMMON
    coding: Coding = "linear"
    splits: Splits = {"train": TRAIN, "validation": VALIDATION}  # noqa: RUF012 - a Mapping

    def __init__(self, folder: Path, *, camera: _camera.CameraLike | None = None) -> None:
        self.folder = _scenes.check_folder(folder)
        self.response = _camera.response(camera, self.bands)

    def read(self, name: str) -> Pair:
        sideways = _mat.read_cube(self._file(_scenes.check_name(name, self.splits)), "rad")
        cube = np.ascontiguousarray(np.rot90(sideways, axes=(1, 2))) / np.float32(FULL_SCALE)
        return Pair(name, cube, _camera.render_rgb(cube, self.response))

    def problems(self, *splits: str) -> Sequence[str]:
        files = [self._file(name) for name in sorted(_scenes.names_in(self.splits, *splits))]
        lines: list[str] = []
        for path in files:
            lines += _scenes.shape_problems(path, _cube_shape, (None, None, len(self.bands)))
        if not splits:
            lines += _scenes.extra_files(self.folder, files, pattern="*.mat")
        return lines

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.mat"


def _cube_shape(path: Path) -> tuple[int, ...]:
    return _mat.shape(path, "rad")


build: type[DataSet] = Icvl
