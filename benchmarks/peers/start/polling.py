"""Start of a plain script, which opens no socket."""

import json
import sys

import requests

with open(sys.argv[3]) as file:
    batch = {"batch": {"graph": json.load(file), "runs": 1}}
requests.post(f"{sys.argv[1]}/api/v1/queue/default/enqueue_batch", json=batch).json()
