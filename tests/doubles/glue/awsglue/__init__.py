"""Stands in for AWS's package of this name, which is on Glue alone."""
