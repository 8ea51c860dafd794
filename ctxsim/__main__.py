"""`python -m ctxsim` is `ctxsim`."""

import sys

from ctxsim.cli import main

if __name__ == "__main__":
    sys.exit(main())
