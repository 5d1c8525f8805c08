"""Who comes in, who may post, and what every answer carries."""

import dataclasses
import stat
from pathlib import Path

import pytest
from flask import Flask
from made_reviews import PASSWORD, log_in, make_setup, seen, token

from coolbound_envs.tables import InputError
from coolbound_shadow.ledger.reader import LedgerReader
from coolbound_shadow.ledger.records import Kind
from coolbound_shadow.review.app import HEADERS, Setup, create_app
from coolbound_shadow.review.log_ins import IDLE_S, LONGEST_S, LogIns, Throttle
from coolbound_shadow.review.serving import bind, require_allowed
from coolbound_shadow.review.users import Role, add_user, read_users, remove_user

SEEN = ("/", "/event/o-17", "/shift", "/shift/2025-12-02/early")
POSTED = (
    "/event/o-17/accept",
    "/event/o-17/comment",
    "/shift/2025-12-02/early/sign-off",
)


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Setup:
    return make_setup(tmp_path_factory.mktemp("access"))


@pytest.fixture
def app(setup: Setup) -> Flask:
    return create_app(setup)


def reviews(setup: Setup) -> int:
    with LedgerReader(setup.ledger) as reader:
        return sum(1 for _ in reader.entries(kinds=[Kind.REVIEW]))


def routes(app: Flask) -> set[str]:
    return {rule.rule for rule in app.url_map.iter_rules()}


def test_the_matrix_below_has_every_route(app: Flask) -> None:
    known = {"/", "/event/<path:key>", "/shift", "/shift/<day>/<name>"}
    known |= {"/shifts"}
    known |= {f"/event/<path:key>/{what}" for what in ("accept", "comment")}
    known |= {"/shift/<day>/<name>/sign-off", "/log-in", "/log-out"}
    assert routes(app) == known | {"/static/<path:filename>"}


def test_who_is_not_logged_in_sees_nothing_and_posts_nothing(
    app: Flask, setup: Setup
) -> None:
    client = app.test_client()
    for path in (*SEEN, "/nothing", "/event/none"):
        page = client.get(path)
        assert page.status_code == 303
        assert page.location.startswith("/log-in")
    before = reviews(setup)
    form = {"csrf_token": token(client.get("/log-in")), "seen": "1", "text": "hello"}
    for path in (*POSTED, "/log-out"):
        assert client.post(path, data=form).location == "/log-in"
    assert reviews(setup) == before


def test_a_reader_sees_all_without_a_button_and_is_refused(
    app: Flask, setup: Setup
) -> None:
    client = app.test_client()
    log_in(client, "visitor")
    for path in SEEN:
        page = client.get(path, follow_redirects=True)
        assert page.status_code == 200
        assert page.text.count("<form") == (2 if path == "/" else 1)  # log-out, filter
        assert "<textarea" not in page.text
    before = reviews(setup)
    form = {"csrf_token": token(client.get("/")), "seen": "1", "text": "hello"}
    for path in POSTED:
        page = client.post(path, data=form)
        assert page.status_code == 403
        assert "Your role is reader" in page.text
    assert reviews(setup) == before


@pytest.mark.parametrize("given", ["", "made-up", "foreign"])
@pytest.mark.parametrize("path", [*POSTED, "/log-out", "/log-in"])
def test_a_form_without_its_own_token_is_refused(
    app: Flask, setup: Setup, path: str, given: str
) -> None:
    client, other = app.test_client(), app.test_client()
    log_in(client, "engineer")
    log_in(other, "engineer")
    sent = token(other.get("/")) if given == "foreign" else given
    before = reviews(setup)
    page = client.post(path, data={"csrf_token": sent, "seen": "1", "text": "hello"})
    assert page.status_code == 400
    assert reviews(setup) == before
    assert client.get("/").status_code == 200


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("localhost", 303),
        ("127.0.0.1:8410", 303),
        ("[::1]:8410", 303),
        ("LOCALHOST:9", 303),
        ("review.plant.example", 303),
        ("attacker.example:8410", 400),
        ("127.0.0.1.attacker.example", 400),
        ("", 400),
        ("[", 400),
    ],
)
def test_only_names_that_are_served_are_answered(
    setup: Setup, host: str, code: int
) -> None:
    named = dataclasses.replace(setup, names=("review.plant.example",))
    client = create_app(named).test_client()
    assert client.get("/", headers={"Host": host}).status_code == code


def test_every_answer_carries_the_headers(app: Flask) -> None:
    client = app.test_client()
    answers = [client.get("/"), client.get("/log-in"), client.get("/static/style.css")]
    answers += [client.post("/log-in"), client.get("/", headers={"Host": "x.example"})]
    log_in(client, "engineer")
    answers += [client.get("/"), client.get("/nothing"), client.get("/event/o-17")]
    assert [a.status_code for a in answers] == [303, 200, 200, 400, 400, 200, 404, 200]
    for answer in answers:
        for name, value in HEADERS.items():
            assert answer.headers[name] == value
        answer.close()
    policy = HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "frame-ancestors 'none'" in policy


def test_the_cookie_is_kept_from_scripts_and_other_sites(setup: Setup) -> None:
    cookie = log_in(create_app(setup).test_client(), "engineer").headers["Set-Cookie"]
    assert cookie.startswith("coolbound-review-8410=")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Expires=" in cookie
    assert "Secure" not in cookie
    safe = create_app(dataclasses.replace(setup, is_tls=True))
    assert "Secure" in log_in(safe.test_client(), "engineer").headers["Set-Cookie"]


def test_a_wrong_name_and_a_wrong_password_get_the_same_answer(app: Flask) -> None:
    client = app.test_client()
    wrong = [log_in(client, "engineer", "no"), log_in(client, "nobody", PASSWORD)]
    assert [page.status_code for page in wrong] == [401, 401]
    texts = [page.text.replace("nobody", "engineer") for page in wrong]
    plain = [text.replace(token(p), "") for text, p in zip(texts, wrong, strict=True)]
    assert plain[0] == plain[1]
    assert client.get("/").status_code == 303


def test_guessing_is_slowed_down_for_the_right_password_too(app: Flask) -> None:
    client = app.test_client()
    codes = [log_in(client, "engineer", "wrong").status_code for _ in range(6)]
    assert codes == [401] * 5 + [429]
    page = log_in(client, "engineer")
    assert page.status_code == 429
    assert "Retry-After" in page.headers
    assert log_in(client, "visitor").status_code == 303


def test_a_log_out_ends_the_log_in_on_the_server(app: Flask) -> None:
    client = app.test_client()
    log_in(client, "engineer")
    stolen = client.get_cookie("coolbound-review-8410")
    assert stolen is not None
    form = {"csrf_token": token(client.get("/"))}
    assert client.get("/log-out").status_code == 405
    assert client.post("/log-out", data=form).location == "/log-in"
    client.set_cookie("coolbound-review-8410", stolen.value)
    assert client.get("/").status_code == 303


@pytest.mark.parametrize(
    ("asked", "led"),
    [
        ("/event/o-17", "/event/o-17"),
        ("/?kind=limit", "/?kind=limit"),
        ("https://attacker.example/", "/"),
        ("//attacker.example/", "/"),
        ("/\\attacker.example", "/"),
        ("/\t/attacker.example", "/"),
        ("javascript:alert(1)", "/"),
        ("attacker", "/"),
    ],
)
def test_a_log_in_leads_nowhere_else(app: Flask, asked: str, led: str) -> None:
    client = app.test_client()
    form = {"name": "engineer", "password": PASSWORD, "next": asked}
    form["csrf_token"] = token(client.get("/log-in"))
    assert client.post("/log-in", data=form).location == led


def test_who_is_removed_or_changed_is_out_at_once(setup: Setup) -> None:
    app = create_app(setup)
    client, other = app.test_client(), app.test_client()
    add_user(setup.users, "mara", Role.REVIEWER, PASSWORD)
    log_in(client, "mara")
    log_in(other, "mara")
    assert client.get("/").status_code == 200
    add_user(setup.users, "mara", Role.READER, PASSWORD)
    assert client.get("/").status_code == 303
    log_in(client, "mara")
    remove_user(setup.users, "mara")
    assert client.get("/").status_code == 303
    assert other.get("/").status_code == 303


def test_what_people_wrote_cannot_become_part_of_the_page(setup: Setup) -> None:
    client = create_app(setup).test_client()
    log_in(client, "engineer")
    page = client.get("/event/o-17")
    evil = "<script>alert(1)</script>\x00\x1b[31m"
    form = {"csrf_token": token(page), "seen": seen(page), "text": evil}
    client.post("/event/o-17/comment", data=form)
    text = client.get("/event/o-17").text
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;[31m" in text


def test_the_file_of_users_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "users.json"
    assert add_user(path, "engineer", Role.READER, PASSWORD) is False
    assert add_user(path, "engineer", Role.REVIEWER, PASSWORD) is True
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert PASSWORD not in path.read_text()
    assert read_users(path)["engineer"].password.startswith("scrypt:")
    path.chmod(0o640)
    with pytest.raises(InputError, match="mode 640, expected 600"):
        read_users(path)
    path.chmod(0o600)
    path.write_text("{}")
    with pytest.raises(InputError, match="expected users as"):
        read_users(path)


@pytest.mark.parametrize(
    ("name", "password"), [("", PASSWORD), ("a b", PASSWORD), ("engineer", "short")]
)
def test_a_user_needs_a_name_and_a_long_password(
    tmp_path: Path, name: str, password: str
) -> None:
    with pytest.raises(InputError, match="choose another"):
        add_user(tmp_path / "users.json", name, Role.READER, password)


def test_the_wait_doubles_and_is_forgotten_after_a_success() -> None:
    now = [1000.0]
    throttle = Throttle(lambda: now[0])
    free = {"user a": 2}
    waits = []
    for _ in range(12):
        wait = throttle.attempt(free)
        waits.append(wait)
        if wait:
            now[0] += wait
            assert throttle.attempt(free) == 0.0
    assert waits[:5] == [0.0, 0.0, 1.0, 2.0, 4.0]
    assert max(waits) == 300.0
    assert throttle.attempt({"user b": 2}) == 0.0
    throttle.succeeded("user a")
    assert throttle.attempt(free) == 0.0


def test_a_log_in_ends_when_it_is_idle_or_old() -> None:
    now = [0.0]
    log_ins = LogIns(lambda: now[0])
    name = log_ins.begin("engineer", "mark")
    marks = {"engineer": "mark"}
    assert log_ins.user(name, marks) == "engineer"
    assert log_ins.user("made up", marks) is None
    while now[0] + IDLE_S / 2 < LONGEST_S:
        now[0] += IDLE_S / 2
        assert log_ins.user(name, marks) == "engineer"
    now[0] = LONGEST_S
    assert log_ins.user(name, marks) is None
    name = log_ins.begin("engineer", "mark")
    now[0] += IDLE_S
    assert log_ins.user(name, marks) is None


def test_other_computers_are_refused_unless_somebody_insists() -> None:
    for host in ("0.0.0.0", "192.0.2.7", "plant.example", "::"):
        with pytest.raises(InputError, match="reverse proxy with TLS"):
            require_allowed(host, False, ())
    for host in ("127.0.0.1", "127.1.2.3", "localhost", "::1"):
        require_allowed(host, False, ())
    require_allowed("192.0.2.7", True, ())
    with pytest.raises(InputError, match="found no --name"):
        require_allowed("0.0.0.0", True, ())
    require_allowed("0.0.0.0", True, ("plant.example",))


def test_a_port_that_is_taken_is_said_in_one_sentence() -> None:
    taken = bind("127.0.0.1", 0)
    try:
        with pytest.raises(InputError, match="give another --port"):
            bind("127.0.0.1", taken.getsockname()[1])
    finally:
        taken.close()
