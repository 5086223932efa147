"""The parts of the default model's card that are not measured."""

from typing import Any

from examples.default_model.training_data import HELD_OUT_CAMERAS

INFRARED = (
    "Of an RGB image, the infrared is estimated only from what is common for the visible part of a "
    "spectrum: cameras are assumed to be blind beyond 780 nm, where their measured curves end. The "
    "scores in this card are those of RGB images; sensors with infrared channels measure it."
)

DEFINITION = (
    "means over images of MRAE, MRAE after the best common scaling, SAM in degrees, PSNR in dB, "
    "and the share of values within 1.645 standard deviations, after that scaling if the level is "
    "not known; pixels with mean reflectance below "
    "0.02 are left out; four cameras not used in training; real RGB is reconstructed at 0.1 m and "
    "averaged to the 1 m of its ground truth"
)

LEVEL_DEFINITION = (
    "logarithm of the estimated over the true level of cubes of 8-bit images, as bright as the "
    "ground and exposed for display, by cameras not used in training: median, nine tenths "
    "quantile and largest of the absolute errors, mean error, and the share within the stated "
    "90 % interval; Jasper Ridge, San Diego and CAVE are cubes of other sensors, and CAVE shows "
    "objects indoors"
)

CHOSEN = (
    "that the network runs only on request, the strengths of colour matrices, the prior "
    "probability of haze, the quantile that stands for sunlit ground, the prior probability "
    "that the brightness of an image was left unchanged, the noise assumed for sensors of "
    "more than three channels, and that their channels of water vapour are not used, were "
    "chosen with the scores below, or those of the same held-out sets, in view; the "
    "brightness of sunlit ground for its colour was fitted to the training data alone"
)

STATEMENTS: dict[str, Any] = {
    "schema": 1,
    "version": "0.2.1",
    "reconstructor": "guided-posterior",
    "paper": "Ding et al. 2026 (arXiv:2605.05688); Murakami et al. 2002",
    "licence": "Apache-2.0",
    "citation": "Mixture after Murakami, Obi, Yamaguchi, Ohyama 2002 (Applied Optics 41(23)); "
    "refinement after Ding, Zhao, Sun, Liu 2026, R2H-Diff (arXiv:2605.05688); weights by the "
    "hsi_xr project",
    "has_uncertainty": True,
    "camera_aware": True,
    "level_aware": True,
    "training": {
        "script": "python -m examples.default_model.train",
        "data": [
            "69 of 84 paired plots of NEON sites MLBS and OSBS (NEON, CC0 1.0), distributed "
            "through the IDTReeS competition, whose own record states no licence",
            "spectra of soils, urban materials, dry vegetation and PROSAIL canopies (earthlib, "
            "MIT as distributed; its upstream libraries are unverified)",
            "field spectra of the MUUFL Gulfport data set (MIT)",
            "for the level of images alone: objects and colour charts (colour-science, BSD-3), "
            "mixtures of library spectra and snow (ISOFIT, Apache-2.0; from the ECOSTRESS library, "
            "JPL), char and litter (earthlib 1.1, MIT)",
            "48 camera sensitivities of rawtoaces-data (Apache-2.0)",
        ],
        "held_out": "every fifth plot of each site, the site HARV, the AVIRIS suburb scene, and "
        f"the cameras {', '.join(HELD_OUT_CAMERAS)}",
        "images": "simulated: random camera, light, white balance, colour matrix, exposure, haze, "
        "mosaic sensor, tone curve, 8 bits, JPEG of quality 65 to 95; and the RGB images of the "
        "plots",
        "chosen_by_hand": CHOSEN,
    },
    "intended_use": [
        "Screening and mapping where no imaging spectrometer has flown; teaching; as a prior where "
        "a few spectra of the ground are known",
    ],
    "limits": [
        "An estimate from three values per pixel: spectra of the same colour are distinguished "
        "only by what is common on land. Not for detecting materials that are made to look alike, "
        "and not for decisions about health, safety or law.",
        "The level of images made for display is estimated from the colours of the scene, and "
        "uncertain by a factor that each product states; shapes of spectra are more reliable. "
        "Objects indoors, and very dark ground, may be wrong by a factor of three.",
        "Learned from forest, soil and built-up surfaces of the eastern United States and from "
        "spectral libraries; water, snow, flowers and paints are rare in its training data, and "
        "`out_of_domain` flags some of them.",
        "Standard deviations and quantiles hold for the level of the scene; its uncertainty is "
        "stated once, and comes on top of them.",
    ],
}
