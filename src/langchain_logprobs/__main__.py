"""`python -m langchain_logprobs` is the command `langchain-logprobs`."""

import sys

from langchain_logprobs.cli.main import main

sys.exit(main())
