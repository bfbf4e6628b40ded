"""The words of the project, on the standard library alone: assets, intervals, releases, forecasts.

Import from the modules; this package re-exports nothing, so a name says where it lives.
"""
