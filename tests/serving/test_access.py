"""Who may: each route with no token, a wrong one and each other scope's; hosts.

Tokens that come and go; rates.
"""

from __future__ import annotations

import itertools
import json
import os
import stat
import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from starlette.requests import HTTPConnection

from retraining.errors import SettingsError, UsageError
from retraining.serving import rates
from retraining.serving.access import OPEN_TO_ALL, Access, is_loopback
from retraining.serving.descriptions import SCOPE
from retraining.serving.rates import RateLimit
from retraining.serving.refusals import Refusal
from retraining.serving.tokens import FILE, SCOPES, TokenFile
from tests.model_registry.samples import project
from tests.serving.services import body_of, probe_project, running, until

if TYPE_CHECKING:
    from pathlib import Path

    from retraining.settings import Settings
    from tests.serving.services import Running

SECRET = "a secret of thirty-two characters"


def asking(token: str | None = None, **headers: str) -> HTTPConnection:
    told = {**headers, **({} if token is None else {"authorization": f"Bearer {token}"})}
    raw = [(name.encode(), text.encode()) for name, text in told.items()]
    return HTTPConnection({"type": "http", "headers": raw})


def door(settings: Settings, host: str = "127.0.0.1") -> Access:
    return Access(settings, host, TokenFile(settings.project))


def status_of(access: Access, token: str | None, scope: Any = "read") -> int:
    try:
        access.caller_of(asking(token), scope)
    except Refusal as refusal:
        return refusal.status
    return 200


# --- every route ---


@pytest.fixture(scope="module")
def tokens(guarded: Running) -> dict[str, str]:
    """By scope, a token that holds it alone."""
    file = TokenFile(guarded.parts.settings.project)
    made = {scope: file.add(f"only {scope}", (scope,)) for scope in SCOPES}
    asked = "/mlops/api/model/info"
    known = {"Authorization": f"Bearer {made['read']}"}
    assert until(lambda: guarded.ask("GET", asked, **known).status == 200)
    return made


def routes_of(service: Running) -> dict[tuple[str, str], str | None]:
    """Method and path of every route, with the scope that it declares."""
    from retraining.serving.application import application

    found = {}
    for route in application(service.parts).routes:
        for method in getattr(route, "methods", None) or ():
            path = route.path.replace("{job_id}", "1").replace("{part}", "swagger-ui.css")
            for name in ("{days}", "{limit}"):
                path = path.replace(name, "1")
            found[method, path] = (getattr(route, "openapi_extra", None) or {}).get(SCOPE)
    return found


def test_every_route_wants_its_scope_and_no_other_opens_it(
    guarded: Running, tokens: dict[str, str]
) -> None:
    routes = routes_of(guarded)
    assert {path for (_, path), scope in routes.items() if scope is None} <= {*OPEN_TO_ALL, "/"}
    for (method, path), scope in routes.items():
        if scope is None:
            continue
        body = {} if method == "POST" else None
        assert guarded.ask(method, path, body).status == 401, path
        assert guarded.ask(method, path, body, Authorization="Bearer no").status == 401, path
        for held, token in tokens.items():
            status = guarded.ask(method, path, body, Authorization=f"Bearer {token}").status
            if held != scope:
                assert status == 403, f"{held} opens {path}"
            elif scope != "operate":  # which would start a cycle
                assert status not in (401, 403), f"{path} is closed to {held}"


def test_health_is_told_to_everybody_under_any_name(guarded: Running, tokens: Any) -> None:
    for path in OPEN_TO_ALL:
        assert guarded.ask("GET", path, Host="evil.example").status == 200


def test_a_token_that_is_refused_says_how_to_send_one(guarded: Running, tokens: Any) -> None:
    reply = guarded.ask("GET", "/metrics")
    assert reply.headers["www-authenticate"] == "Bearer"
    assert reply.json["error_code"] == "token_wanted"


# --- tokens ---


def test_without_tokens_loopback_is_open_and_any_other_host_is_not_served(tmp_path: Path) -> None:
    settings = project(tmp_path)
    assert status_of(door(settings), None) == 200
    door(settings).refuse_an_open_start()
    with pytest.raises(UsageError, match="needs tokens"):
        door(settings, "0.0.0.0").refuse_an_open_start()
    assert status_of(door(settings, "0.0.0.0"), None) == 401


def test_tokens_are_kept_as_digests_that_open_nothing(tmp_path: Path) -> None:
    settings = project(tmp_path)
    token = TokenFile(tmp_path).add("shop", ("read", "predict"))
    path = tmp_path / FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert token not in path.read_text()
    kept = json.loads(path.read_text())
    assert kept.keys() == {"name", "scopes", "sha256", "made"}
    access = door(settings)
    assert status_of(access, token) == 200
    assert status_of(access, token, "operate") == 403
    assert status_of(access, kept["sha256"]) == 401
    assert access.caller_of(asking(token), "read").name == "shop"


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic {}", "{}", "Bearer {}x", "Bearer  {}"]
)
def test_what_is_no_token_opens_nothing(tmp_path: Path, header: str) -> None:
    settings = project(tmp_path)
    token = TokenFile(tmp_path).add("shop", ("read",))
    connection = asking(authorization=header.replace("{}", token))
    with pytest.raises(Refusal) as raised:
        door(settings).caller_of(connection, "read")
    assert raised.value.status == 401


def test_a_damaged_line_is_no_token_and_the_others_hold(tmp_path: Path) -> None:
    settings = project(tmp_path)
    token = TokenFile(tmp_path).add("shop", ("read",))
    path = tmp_path / FILE
    lines = [
        "{",
        "[]",
        '{"name": "x"}',
        '{"name": "y", "scopes": "read", "sha256": "' + "0" * 64 + '"}',
    ]
    path.write_text("\n".join([*lines, path.read_text(), ""]))
    assert status_of(door(settings), token) == 200
    assert [one.name for one in TokenFile(tmp_path).tokens] == ["shop"]


@pytest.mark.parametrize("damage", ["a folder", "no text", "rubbish"])
def test_a_file_that_cannot_be_read_opens_nothing(tmp_path: Path, damage: str) -> None:
    settings = project(tmp_path)
    path = tmp_path / FILE
    if damage == "a folder":
        path.mkdir()
    else:
        path.write_bytes(b"\xff\xfe\x00" if damage == "no text" else b"rubbish")
    assert status_of(door(settings), "any") == 401
    assert status_of(door(settings), None) == 401


def test_tokens_come_and_go_while_the_service_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.count(1000.0)
    monkeypatch.setattr("retraining.serving.watched.time.monotonic", lambda: next(clock))
    settings = project(tmp_path)
    access, file = door(settings), TokenFile(tmp_path)
    assert status_of(access, None) == 200
    first, second = file.add("first", ("read",)), file.add("second", ("read",))
    assert (status_of(access, first), status_of(access, None)) == (200, 401)
    file.withdraw("first")
    assert (status_of(access, first), status_of(access, second)) == (401, 200)


def test_a_torn_last_line_does_not_swallow_the_next_token(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"name": "torn"')
    TokenFile(tmp_path).add("shop", ("read",))
    assert [one.name for one in TokenFile(tmp_path).tokens] == ["shop"]


@pytest.mark.parametrize(
    ("name", "scopes"), [("x", ()), ("x", ("everything",)), ("", ("read",)), ("a\nb", ("read",))]
)
def test_a_token_without_a_name_or_with_an_unknown_scope_is_not_made(
    tmp_path: Path, name: str, scopes: tuple[str, ...]
) -> None:
    with pytest.raises(UsageError):
        TokenFile(tmp_path).add(name, scopes)
    assert not (tmp_path / FILE).exists()


# --- tokens of others ---


def claims(**changed: Any) -> dict[str, Any]:
    made = {"sub": "somebody", "aud": "us", "exp": time.time() + 600, "scope": "read label"}
    return {name: value for name, value in {**made, **changed}.items() if value is not None}


def test_tokens_signed_by_the_secret_are_taken_and_nothing_else(tmp_path: Path) -> None:
    access = door(project(tmp_path, JWT_SECRET=SECRET, JWT_AUDIENCE="us"))

    def signed(key: str = SECRET, **changed: Any) -> str:
        return jwt.encode(claims(**changed), key, "HS256")

    caller = access.caller_of(asking(signed()), "label")
    assert (caller.name, caller.scopes) == ("somebody", {"read", "label"})
    assert status_of(access, signed(), "operate") == 403
    assert status_of(access, signed(scope=None)) == 403
    for wrong in (
        signed(exp=time.time() - 600), signed(exp=None), signed(aud="others"), signed(aud=None),
        signed("another secret of the same length."), jwt.encode(claims(), None, "none"), "a.b.c",
    ):  # fmt: skip
        assert status_of(access, wrong) == 401
    assert status_of(access, None) == 401, "also on loopback"


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_tokens_signed_by_the_owner_of_the_public_key_are_taken(
    tmp_path: Path, algorithm: str
) -> None:
    private: Any = (
        rsa.generate_private_key(65537, 2048)
        if algorithm == "RS256"
        else ec.generate_private_key(ec.SECP256R1())
    )
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "key.pem").write_bytes(public)
    access = door(project(tmp_path, JWT_PUBLIC_KEY_FILE="key.pem", JWT_AUDIENCE="us"))
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert status_of(access, jwt.encode(claims(), pem, algorithm)) == 200
    # the public key is known to everybody: it must not serve as the secret of another algorithm
    with pytest.raises(jwt.InvalidKeyError):
        jwt.encode(claims(), public, "HS256")


def test_clocks_that_differ_by_seconds_refuse_nobody(tmp_path: Path) -> None:
    access = door(project(tmp_path, JWT_SECRET=SECRET, JWT_AUDIENCE="us"))
    now = time.time()
    for skewed in ({"iat": now + 10}, {"nbf": now + 10}, {"exp": now - 10}):
        assert status_of(access, jwt.encode(claims(**skewed), SECRET, "HS256")) == 200, skewed


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"exp": 1_000}, "token_expired"),
        ({"aud": "others"}, "token_for_others"),
        ({"aud": None}, "token_incomplete"),
        ({"nbf": 4_000_000_000}, "token_too_young"),
    ],
)
def test_a_token_that_a_key_signed_is_told_why_it_is_refused_and_a_forged_one_is_not(
    tmp_path: Path, changed: dict[str, Any], code: str
) -> None:
    access = door(project(tmp_path, JWT_SECRET=SECRET, JWT_AUDIENCE="us"))
    for key, told in ((SECRET, code), ("another secret of the same length.", "token_wanted")):
        with pytest.raises(Refusal) as raised:
            access.caller_of(asking(jwt.encode(claims(**changed), key, "HS256")), "read")
        assert (raised.value.status, raised.value.code) == (401, told)


def test_a_key_is_replaced_without_a_restart_and_without_a_token_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.count(1000.0)
    monkeypatch.setattr("retraining.serving.watched.time.monotonic", lambda: next(clock))
    old, new = rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())
    publics = [
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        for key in (old, new)
    ]
    by_old = jwt.encode(claims(), old, "RS256")
    by_new = jwt.encode(claims(), new, "ES256")
    path = tmp_path / "keys.pem"
    path.write_bytes(publics[0])
    access = door(project(tmp_path, JWT_PUBLIC_KEY_FILE="keys.pem", JWT_AUDIENCE="us"))

    def opens() -> tuple[int, int]:
        return status_of(access, by_old), status_of(access, by_new)

    assert opens() == (200, 401)
    path.write_bytes(b"".join(publics))
    assert opens() == (200, 200)
    path.write_bytes(publics[1])
    assert opens() == (401, 200)
    for unusable in (publics[1] + b"-----BEGIN KEY-----\nx\n-----END KEY-----\n", b"no key", b""):
        path.write_bytes(unusable)
        assert opens() == (401, 401), unusable
        assert status_of(access, None) == 401, "and the door stays closed"
    path.write_bytes(publics[1])
    assert opens() == (401, 200)


def test_a_file_without_a_public_key_ends_the_start(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("no key")
    settings = project(tmp_path, JWT_PUBLIC_KEY_FILE="key.pem", JWT_AUDIENCE="us")
    with pytest.raises(SettingsError, match="JWT_PUBLIC_KEY_FILE"):
        door(settings)


# --- hosts ---


@pytest.mark.parametrize(
    ("allowed", "headers", "lets_in"),
    [
        ("", {"host": "127.0.0.1:8002"}, True),
        ("", {"host": "LOCALHOST"}, True),
        ("", {"host": "[::1]:8002"}, True),
        ("", {"host": "evil.example:8002"}, False),
        ("", {}, False),
        ("", {"host": "localhost", "origin": "http://evil.example"}, False),
        ("", {"host": "localhost", "origin": "null"}, False),
        ("", {"host": "localhost", "origin": "http://localhost:8002"}, True),
        ("models.example.org", {"host": "models.example.org"}, True),
        ("models.example.org", {"host": "models.example.org.evil.example"}, False),
        ("models.example.org:8002", {"host": "models.example.org"}, True),
        ("fd00::17", {"host": "[fd00::17]:8002"}, True),
        ("[fd00::17]:8002", {"host": "[fd00::17]"}, True),
        ("models.example.org", {"host": "127.0.0.1:8002"}, True),
        ("models.example.org", {"host": "localhost", "origin": "http://localhost:8050"}, True),
        ("*", {"host": "any.example", "origin": "http://other.example"}, True),
    ],
)
def test_only_our_names_are_answered(
    tmp_path: Path, allowed: str, headers: dict[str, str], lets_in: bool
) -> None:
    access = door(project(tmp_path, ALLOWED_HOSTS=allowed))
    if lets_in:
        access.refuse_foreign_host(headers)
        return
    with pytest.raises(Refusal) as raised:
        access.refuse_foreign_host(headers)
    assert (raised.value.status, raised.value.code) == (403, "foreign_host")


@pytest.mark.parametrize(
    ("host", "is_one"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True),
     ("0.0.0.0", False), ("host.example", False)],
)  # fmt: skip
def test_loopback_is_known_by_its_addresses(host: str, is_one: bool) -> None:
    assert is_loopback(host) is is_one


# --- rates ---


def test_each_caller_has_a_bucket_that_fills_at_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(rates.time, "monotonic", lambda: now[0])
    limit = RateLimit(10)
    limit.take("a", 10)
    limit.take("b", 10)
    with pytest.raises(Refusal) as raised:
        limit.take("a", 5)
    assert (raised.value.status, raised.value.headers) == (429, {"Retry-After": "1"})
    now[0] = 0.5
    limit.take("a", 5)
    with pytest.raises(Refusal):
        limit.take("a", 1)


def test_one_request_of_more_rows_than_a_second_s_is_let_in_and_paid_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr(rates.time, "monotonic", lambda: now[0])
    limit = RateLimit(10)
    limit.take("a", 30)
    for rows, seconds in ((1, "3"), (10, "3"), (30, "3")):
        with pytest.raises(Refusal) as raised:
            limit.take("a", rows)
        assert raised.value.headers == {"Retry-After": seconds}
    now[0] = 3.0
    limit.take("a", 30)


def test_over_the_rate_a_request_is_429(tmp_path: Path, empty_store: Path) -> None:
    settings = probe_project(empty_store, tmp_path / "project", RATE_LIMIT="0.1")
    with running(settings) as service:
        statuses = [service.predict(1, 2).status for _ in range(3)]
    assert statuses == [200, 429, 429]


def test_labels_and_batches_are_rows_of_their_caller_too(tmp_path: Path, empty_store: Path) -> None:
    settings = probe_project(empty_store, tmp_path / "project", RATE_LIMIT="0.001")
    settings.new_data_dir.mkdir(exist_ok=True)
    label = {"prediction_id": "a", "label": 1}
    with running(settings) as service:
        taken = service.ask("POST", "/labels", {"labels": [label, label]})
        assert taken.status == 200
        refused = service.ask("POST", "/labels", {"labels": [label, label]})
        batch = {"batch_id": "b", "labels": [1, 0], **body_of(1, 2)}
        sent = service.ask("POST", "/ingest/batch", batch)
        assert service.predict(1).status == 429
    for answer in (refused, sent):
        assert (answer.status, answer.json["error_code"]) == (429, "too_many_rows")
        assert int(answer.headers["retry-after"]) > 0
    assert not list(settings.new_data_dir.iterdir())


def test_the_umask_does_not_open_the_file(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        TokenFile(tmp_path).add("shop", ("read",))
        TokenFile(tmp_path).add("other", ("read",))
        TokenFile(tmp_path).withdraw("shop")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
