"""Training of models, as `hsi-xr train` runs it.

`settings` states what a run is and `toml` reads it. `setup` prepares the task: a model, its
objective (`objectives`, `losses`) and its batches (`data`, `patches`). `loop` trains it, and
`release` saves the result as a model that reconstructs.
"""

from hsi_xr.extras import require

require("msgspec")
