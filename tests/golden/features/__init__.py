"""A small table of features that stays as it is: `test_golden_features.py` says how it is made again."""
