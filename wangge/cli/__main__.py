"""`python -m wangge.cli` is the same as `wangge`."""

from wangge.cli.app import main

main()
