"""How models are trained: the one loop of `hsi-xr train`, and what made the default model.

`config` says what a run is, `objectives` and `two_stage` what is minimised, `patches` what is
drawn, `loop` takes the steps, and `release` makes a model of what was trained. The default model
has `default` with `sources`, `simulate` and `batches`, `publish` and `score`, for data of its own.
"""
