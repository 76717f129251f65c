"""Say what a server lacks of what this client rests on: `python scripts/schema_drift.py http://127.0.0.1:9090`."""

from __future__ import annotations

import sys

from invokeai_py_client import InvokeAIClient


def main(arguments: list[str]) -> int:
    """Print the drift of each server that is named, or of the environment's; 1 if there is any."""
    found = 0
    for url in arguments or [None]:
        with InvokeAIClient.from_url(url) if url else InvokeAIClient() as client:
            drifts = client.schema_drift()
            print(f"{client.settings.url}: InvokeAI {client.app.get_version()}, {len(drifts)} differences")
            for drift in drifts:
                print(f"  {drift}")
            found += len(drifts)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
