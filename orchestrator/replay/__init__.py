"""Four meanings of replay: view, verify, what-if over a measured pool, and fork."""

from orchestrator.replay._head import HEAD
from orchestrator.replay.fork import fork_campaign
from orchestrator.replay.pool import replay_pool
from orchestrator.replay.verify import verify_campaign
from orchestrator.replay.view import view_campaign

__all__ = ["HEAD", "fork_campaign", "replay_pool", "verify_campaign", "view_campaign"]
