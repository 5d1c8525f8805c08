"""Operators, learned policies, training and evaluation."""
