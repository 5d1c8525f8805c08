"""The command line: composes the layers, holds no logic of its own."""
