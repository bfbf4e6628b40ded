"""Candles: what they must look like, where they are kept, how they get there, and how good they are.

Import from the modules; this package re-exports nothing, so that asking for one part loads only that part.
"""
