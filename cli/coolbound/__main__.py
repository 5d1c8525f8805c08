"""`python -m coolbound` is `coolbound`."""

import sys

from coolbound.main import main

sys.exit(main())
