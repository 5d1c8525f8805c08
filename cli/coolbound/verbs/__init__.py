"""One module per verb, imported when its verb is asked for.

Each has `run(options)`, which returns an `Answer`.
"""
