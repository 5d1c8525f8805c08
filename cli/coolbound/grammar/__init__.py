"""What each verb accepts, one module for each. Imports nothing heavy."""
