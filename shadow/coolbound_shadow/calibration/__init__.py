"""Fitting a site's plant model to its log, and what the result may be used for."""
