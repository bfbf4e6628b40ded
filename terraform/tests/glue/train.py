"""Stands in for the script of the job."""
