"""`python -m azogue` is the command `azogue`."""

from azogue.cli import main

if __name__ == "__main__":
    main()
