"""`python -m invokeai_py_client.cli`: the same as `invokeai-client`."""

from __future__ import annotations

import sys

from invokeai_py_client.cli.entry import main

if __name__ == "__main__":
    sys.exit(main())
