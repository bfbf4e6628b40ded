"""``python -m cripto.cli``."""

from cripto.cli import main

if __name__ == "__main__":
    main()
