"""`coolbound evaluate`: who takes part, what is compared, and the page of it."""
