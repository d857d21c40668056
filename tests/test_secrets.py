"""Secrets: looked up by name, handed to tasks, and shown nowhere."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

import flowbook
from flowbook import Flow, Parameter, context, redaction, signals, task
from flowbook.artifacts import create_markdown
from flowbook.client import Secret
from flowbook.contexts import Secrets
from flowbook.signals import FAIL
from flowbook.states import Success
from flowbook.tasks.secrets import EnvVarSecret, PrefectSecret, SecretBase
from flowbook.utilities.logging import get_logger

PREFIX = "FLOWBOOK__CONTEXT__SECRETS__"


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    """Forget what other tests have handed out, and what this one will."""
    before = set(redaction.known), set(redaction._values)
    for books in (redaction.known, redaction._values, redaction._pattern):
        books.clear()
    yield
    for books in (redaction.known, redaction._values, redaction._pattern):
        books.clear()
    redaction.known.update(before[0])
    redaction._values.update(before[1])


# -- looking up ------------------------------------------------------------------------------------------------------


def test_a_secret_comes_from_the_context_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}TOKEN", "from the environment")
    monkeypatch.setenv("PREFECT__CONTEXT__SECRETS__TOKEN", "theirs")
    assert Secret("TOKEN").get() == "from the environment"
    assert Secret("token").exists()
    with context(secrets={"TOKEN": "from the context"}):
        assert Secret("TOKEN").get() == "from the context"
        assert not Secret("OTHER").exists()


def test_variables_of_the_reference_api_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT__CONTEXT__SECRETS__TOKEN", "theirs")
    assert Secret("TOKEN").get() == "theirs"


def test_a_missing_secret_says_how_to_set_it() -> None:
    with pytest.raises(ValueError, match=r"Local Secret .TOKEN. was not found.*CONTEXT__SECRETS__TOKEN.*secrets=\{"):
        Secret("TOKEN").get()
    with context(secrets={"TOKEN": 1}), pytest.raises(ValueError, match="Did you mean 'TOKEN'"):
        Secret("TOKENS").get()
    with pytest.raises(TypeError, match="a secret has a name"):
        Secret("")


def test_json_is_read_and_other_text_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}KEYS", '{"id": "AKIA1234", "key": "abcd5678"}')
    monkeypatch.setenv(f"{PREFIX}PIN", "0123")
    monkeypatch.setenv(f"{PREFIX}ODD", "[not json")
    assert Secret("KEYS").get()["key"] == "abcd5678"
    assert redaction.redact("abcd5678") == "***"
    assert (Secret("PIN").get(), Secret("ODD").get()) == ("0123", "[not json")


def test_all_secrets_of_the_context_print_masked_and_are_known_then() -> None:
    with context(secrets={"TOKEN": "zaphod beeblebrox"}):
        assert str(context.secrets) == repr(context["secrets"]) == "{'TOKEN': '***'}"
        assert "zaphod" not in str(context.to_dict())
        assert context.secrets["TOKEN"] == "zaphod beeblebrox"
        assert type(context.get("secrets")) is Secrets
    assert redaction.redact("zaphod beeblebrox") == "***"


def test_secrets_are_in_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}TOKEN", "zaphod")
    assert "secrets" in context.keys()  # noqa: SIM118 - its method is under test
    made = flowbook.configuration.configuration_from(os.environ)
    assert "zaphod" not in repr(made)
    assert "TOKEN" not in repr(made)


# -- tasks -----------------------------------------------------------------------------------------------------------


def test_secret_tasks_look_up_their_name_or_the_one_they_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROM_ENV", "42")
    with Flow("secrets") as flow:
        named = PrefectSecret("TOKEN")()
        given = PrefectSecret()(secret_name="TOKEN")
        env = EnvVarSecret("FROM_ENV", cast=int)()
        none = EnvVarSecret("NOT_THERE")()
        failing = EnvVarSecret("NOT_THERE", raise_if_missing=True)()
        unnamed = [PrefectSecret()(), EnvVarSecret()()]
    states = flow.run(context={"secrets": {"TOKEN": "zaphod"}}, show=False).result
    assert [states[one].result for one in (named, given, env, none)] == ["zaphod", "zaphod", 42, None]
    assert "Environment variable not set: NOT_THERE" in states[failing].message
    assert all("needs a name" in states[one].message for one in unnamed)
    assert not named.checkpoint


def test_a_secret_task_of_ones_own_hides_what_it_returns() -> None:
    class Vault(SecretBase):
        def run(self, key: str) -> str:
            return f"{key} beeblebrox"

    with Flow("vault") as flow:
        opened = Vault()(key="zaphod")
    state = flow.run(show=False)
    assert state.result[opened].result == "zaphod beeblebrox"
    assert redaction.redact("zaphod beeblebrox") == "***"


def test_a_secret_is_asked_for_again_when_a_run_starts_from_an_earlier_one() -> None:
    asked: list[int] = []

    class Vault(SecretBase):
        def run(self) -> str:
            asked.append(1)
            return f"secret {len(asked)}"

    with Flow("vault") as flow:
        used = task(lambda x: x, name="use")(Vault()())
        again = task(lambda x: x, name="again")(used)
    first = flow.run(show=False)
    states = {t: s for t, s in first.result.items() if t is not again}
    second = flow.run(task_states=states, show=False)
    assert len(asked) == 2
    assert second.result[again].result == "secret 1"


def test_a_sensitive_parameter_hides_its_default_and_what_it_is_given() -> None:
    with Flow("sensitive") as flow:
        word = Parameter("word", default="heart of gold", sensitive=True)
        used = task(lambda word: word.upper())(word)
    assert flow.run(show=False).result[used].result == "HEART OF GOLD"
    flow.run(word="zaphod beeblebrox", show=False)
    assert redaction.redact("heart of gold, zaphod beeblebrox") == "***, ***"
    assert word.copy("other").sensitive


def test_what_hands_a_secret_on_shows_nothing_either() -> None:
    with Flow("handed on") as flow:
        secret = PrefectSecret("PIN")()
        same = task(lambda x: x, name="same")(secret)
        items = task(lambda x: x, name="items")(PrefectSecret("LIST")())
        other = task(lambda x: 5, name="other")(secret)
    flow.run(context={"secrets": {"PIN": "abc", "LIST": ["a", "b"]}}, show=False)
    looks = {name: look.result for name, look in looks_of(flow).items()}
    assert looks == {"PIN": "***", "LIST": "***", "same": "***", "items": "***", "other": "5"}
    assert all(one in flow.tasks for one in (secret, same, items, other))


def looks_of(flow: Flow) -> dict[str, Any]:
    from flowbook.view.feed import Feed

    assert flow.last_run is not None
    feed = Feed(flow.last_run.runner)
    names = [one.name for one in flow.last_run.runner.plan.tasks]
    return dict(zip(names, feed.snapshot(0.0).nodes, strict=True))


# -- fifty planted values --------------------------------------------------------------------------------------------


VALUES = [f"planted-{number:02d}-{'zaphod' * (number % 3)}'\"<{number}>" for number in range(50)]


class Telling:
    """Says a secret wherever one looks at it."""

    def __init__(self, secret: str) -> None:
        self.secret = secret

    def __repr__(self) -> str:
        return f"Telling({self.secret!r})"


def refuse(secret: str) -> None:
    raise KeyError(secret)


@task(log_stdout=True)
def talkative(secret: str) -> Telling:
    print(secret, "printed")
    print("and in", [secret])
    context.logger.warning("logged %s", secret)
    context.logger.error(f"formatted {secret}")
    try:
        refuse(secret)
    except KeyError:
        context.logger.exception("an error with %r", secret)
    create_markdown(f"# {secret}")
    return Telling(secret)


@task
def failing(telling: Telling) -> None:
    raise ValueError(f"bad value {telling.secret} of {telling!r}", telling.secret)


@task
def failing_by_signal(telling: Telling) -> None:
    raise FAIL(f"refused {telling.secret}", result=telling)


@task(max_retries=1, retry_delay=flowbook.schedules.clocks.dt.timedelta(seconds=1))
def retrying(telling: Telling) -> None:
    try:
        refuse(telling.secret)
    except KeyError as error:
        raise OSError(2, "no file", f"/data/{telling.secret}") from error


@task
def skipping(telling: Telling) -> None:
    raise signals.SKIP(f"not for {telling.secret}")


def distrust(upstream: Any) -> bool:
    raise RuntimeError(f"trigger with {[state.result for state in upstream.values()]}")


@task(trigger=distrust)
def distrusting(telling: Telling) -> None: ...


def handler(one: Any, old: Any, new: Any) -> Any:
    if new.is_finished():
        raise ValueError(f"handler saw {new.result!r}")
    return None


@task(state_handlers=[handler])
def handled(telling: Telling) -> str:
    return telling.secret


@task
def handed_on(telling: Telling) -> str:
    return telling.secret


def planted(monkeypatch: pytest.MonkeyPatch) -> tuple[Flow, dict[str, Any]]:
    """Make a flow that has all values, by all ways, and does with them whatever gives away secrets."""
    given: dict[str, Any] = {}
    with Flow("full of secrets") as flow:
        for number, value in enumerate(VALUES):
            source: Any
            if number % 4 == 0:
                source = Parameter(f"p{number}", sensitive=True)
                given[f"p{number}"] = value
            elif number % 4 == 1:
                monkeypatch.setenv(f"{PREFIX}S{number}", value)
                source = PrefectSecret(f"S{number}")()
            elif number % 4 == 2:
                monkeypatch.setenv(f"VAR{number}", value)
                source = EnvVarSecret(f"VAR{number}")()
            else:
                source = PrefectSecret(f"S{number}")()
                given.setdefault("context", {"secrets": {}})["secrets"][f"S{number}"] = value
            telling = talkative(source)
            for body in (failing, failing_by_signal, retrying, skipping, distrusting, handled, handed_on):
                body(telling)
    return flow, given


def leaks(text: str) -> list[str]:
    """Return the planted values of which anything can be read in a text."""
    return [value for value in VALUES if value[:10] in text]


@pytest.mark.parametrize("executor", ["local", "threads"])
def test_fifty_planted_values_appear_nowhere(
    executor: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    flow, given = planted(monkeypatch)
    monkeypatch.setattr("flowbook.view.export.render_or_explain", lambda *args, **kwargs: None)
    heard = io.StringIO()
    theirs = logging.StreamHandler(heard)
    get_logger().addHandler(theirs)  # a handler of somebody else, with another formatter
    try:
        flow.run(executor=executor, clock="fast", show=False, **given)
        run = flow.last_run
        assert run is not None
        said = "\n".join(
            [
                str([event.to_dict() for event in run.events]),
                repr(list(run.states.values())),
                repr(run.state),
                str([run.story(one) for one in run.states]),
                str(run.artifacts),
                repr(run),
                flow.to_html(),
                flow.to_svg(),
                flow.to_text(),
                flow.to_mermaid(),
                flow.visualize(run.state).source,
                flow.diagnostics(),
                str(run._repr_mimebundle_()),
                heard.getvalue(),
                *capsys.readouterr(),
            ]
        )
        errors = [
            f"{state.result} {state.result!r}"
            for one, state in run.states.items()
            if isinstance(state.result, BaseException) and one.name != "failing_by_signal"
        ]
    finally:
        get_logger().removeHandler(theirs)
    assert len(errors) > 150
    for part in said.split("\n"):
        assert leaks(part) == [], part[max(0, part.find("planted-") - 200) :][:600]
    assert leaks("\n".join(errors)) == []
    assert said.count("***") > 500
    assert "printed" in said
    values = [state.result for one, state in run.states.items() if isinstance(one, SecretBase)]
    assert set(values) < set(VALUES), "the tasks themselves had the true values"


def test_an_executed_notebook_keeps_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}TOKEN", "zaphod beeblebrox")
    monkeypatch.setenv("PASSWORD", "heart of gold")
    cells = [
        """
import os
from flowbook import Flow, Parameter, context, task
from flowbook.client import Secret
from flowbook.tasks.secrets import EnvVarSecret, PrefectSecret
from flowbook.utilities.debug import raise_on_exception

@task(log_stdout=True)
def use(token, password):
    print("logged", token, password)
    return token

@task
def show(token):
    print("plainly printed", token)
    raise ValueError(f"rejected: {token}")

with Flow("secretive") as flow:
    token = PrefectSecret("TOKEN")()
    used = use(token, Parameter("password", sensitive=True))
    show(used)
flow
""",
        "state = flow.run(password=os.environ['PASSWORD'])\nstate",
        "flow.last_run.states",
        "context.secrets",
        "flow",
        "try:\n    Secret('TOKENS').get()\nexcept ValueError as error:\n    print(error)",
        "with raise_on_exception():\n    flow.run(password=os.environ['PASSWORD'])",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=60, allow_errors=True, resources={"metadata": {"path": str(tmp_path)}}).execute()
    text = nbformat.writes(notebook)
    assert "plainly printed ***" in text
    assert "rejected: ***" in text
    assert "logged *** ***" in text
    assert notebook.cells[-1].outputs[-1].ename == "ValueError"
    assert "zaphod" not in text
    assert "heart of gold" not in text


def test_printing_is_left_alone_when_there_are_no_secrets() -> None:
    import sys

    seen: list[Any] = []
    with Flow("plain") as flow:
        task(lambda: seen.append(sys.stdout))()
    flow.run(show=False)
    assert seen == [sys.stdout]


def test_states_that_people_make_are_masked_in_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}TOKEN", "zaphod")
    Secret("TOKEN").get()

    def ends(flow: Flow, old: Any, new: Any) -> Any:
        return Success("zaphod was here") if new.is_finished() else None

    with Flow("spoken", state_handlers=[ends]) as flow:
        task(lambda: 1)()
    assert flow.run(show=False).message == "*** was here"
