"""Names that the command line offers and its defaults."""

OPERATORS = ("legacy", "g36")
"""Rule-based operators as they are found at sites."""

BARE = (*OPERATORS, "g36_25", "g36_tuned", "pid", "mpc", "mpc-arx")
"""Controllers without learning: they run without the safety layer."""

START_RULE = "start"
"""The rule that learned policies start from."""

RULES = (*BARE, START_RULE)
"""Controllers that need no training."""

OPTIMUM = "optimum"
"""The least power at rest: `evaluate` sets it beside controllers, it is none."""

REFERENCE_POLICY = "reference"
"""The policy that ships inside the package."""

EVALUATED = ("legacy", "g36", "start", "reference")
"""What `evaluate` compares when nothing is named."""

BASELINE = "g36"
"""What `evaluate` compares with, where it takes part."""

ALGORITHMS = ("ppo-lagrangian", "cpo", "sac-lagrangian")
"""What `train` can run, the default first."""

BENCHES = ("plant", "projection", "train", "shadow")

ENGINES = ("coolbound", "energyplus")
"""What can simulate the plant, the default first."""

PEERS = "peers"
"""Other solvers, which `bench projection` measures beside ours."""

CHILLER_TASKS = ("list", "fit")

PART_LOADS = ("available", "rated")
"""Capacities over which a refitted chiller's part load may be meant."""

TRAINING_WEATHER = (
    "phoenix",
    "chicago",
    "dallas",
    "honolulu",
    "tokyo-2021",
    "toronto-2021",
)
"""Years that the reference policy is trained on."""

TRAINING_LOADS = ("google2019", "azure2019")
"""Load traces that the reference policy is trained on."""

YEAR_CITIES = (
    "phoenix",
    "chicago",
    "honolulu",
    "dallas-2021",
    "singapore-2021",
    "frankfurt-2021",
    "london-2021",
    "tokyo-2021",
)
"""Eight climates that `bench plant` runs through a year."""

UNSEEN_WEATHER = ("singapore-2021", "frankfurt-2021")
"""Years that it never saw."""
