"""How near an estimate comes to the truth."""
