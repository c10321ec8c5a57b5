"""`python -m msw2` is the console command `msw2`."""

from msw2.cli.main import main

if __name__ == "__main__":
    main()
