"""A typed client of a dotpilot server, for workers, the command line and notebooks.

with Client("http://127.0.0.1:8000", token) as client:
    made = client.create_campaign(file)
    print(client.wait(made["campaign"])["best"])
"""

from orchestrator.client._client import RESTING, Client
from orchestrator.client._http import Retries
from orchestrator.client._problems import LostLeaseError, ServerFailedError
from orchestrator.client._token import token_from_environment
from orchestrator.wire import read_array

__all__ = [
    "RESTING",
    "Client",
    "LostLeaseError",
    "Retries",
    "ServerFailedError",
    "read_array",
    "token_from_environment",
]
