"""Who may do what: tokens with scopes, the trail of what they changed, and answers kept by key."""

from orchestrator.access._audit import AuditRow, audit_page, record_use, record_within
from orchestrator.access._idempotency import KEPT, Answer, KeyStore
from orchestrator.access._scopes import SCOPES, Principal, check_scopes, granted
from orchestrator.access._tokens import (
    NewToken,
    TokenRow,
    authenticate,
    create_token,
    parse_lifetime,
    revoke_token,
    token_rows,
)

__all__ = [
    "KEPT",
    "SCOPES",
    "Answer",
    "AuditRow",
    "KeyStore",
    "NewToken",
    "Principal",
    "TokenRow",
    "audit_page",
    "authenticate",
    "check_scopes",
    "create_token",
    "granted",
    "parse_lifetime",
    "record_use",
    "record_within",
    "revoke_token",
    "token_rows",
]
