"""Controllers on a plant that is not ours, EnergyPlus, beside its own controls."""
