"""Prints the OpenAPI document: `python -m orchestrator.api > docs/reference/openapi.json`."""

import json
import sys

from orchestrator.api import openapi

sys.stdout.write(json.dumps(openapi(), indent=1, ensure_ascii=False) + "\n")
