"""A plant of another maker: EnergyPlus behind the same observations and actions.

Optional: `pip install coolbound[energyplus]`. Importing this package needs nothing
but the standard library; `plant.EnergyPlusPlant` starts the engine in a process of
its own. What acts on what, and what EnergyPlus cannot express: `docs/energyplus.md`.
"""
