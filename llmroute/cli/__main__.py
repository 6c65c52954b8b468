"""`python -m llmroute.cli`: the command line without the console script."""

import sys

from llmroute.cli.app import main

sys.exit(main())
