"""`python -m callpool`: the same as the `callpool` command."""

from callpool.cli import main

if __name__ == "__main__":
    main()
