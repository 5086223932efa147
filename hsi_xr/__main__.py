"""`python -m hsi_xr` runs the command `hsi-xr`."""

from hsi_xr.cli import main

if __name__ == "__main__":
    main(prog_name="python -m hsi_xr")
