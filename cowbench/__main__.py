"""`python -m cowbench`: the command line."""

from cowbench.cli import main

if __name__ == "__main__":
    main()
