import errno
import re
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

import shutterless as package
from shutterless import dataset
from shutterless.cli.app import app
from shutterless.errors import ShutterlessError

GROUP = typer.main.get_command(app)


def commands(group, *path):
    """Yield every command that does something, as one types it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, *path, name)
        else:
            yield (*path, name)


@pytest.fixture
def failing(monkeypatch):
    """Make `dataset sample` raise what a test gives it."""

    def fail_with(error: BaseException) -> None:
        def fail(*arguments, **options):
            raise error

        monkeypatch.setattr(dataset, "draw_sample", fail)

    return fail_with


def test_help_lists_every_command_once_in_the_way_of_the_data(shutterless):
    shown = shutterless("--help")
    listed = re.findall(r"^  ([a-z]+) +[A-Z]", shown.stdout, re.MULTILINE)
    assert shown.exit_code == 0
    assert sorted(listed) == sorted(GROUP.commands)
    assert (listed[0], listed[-1]) == ("dataset", "destroy")


@pytest.mark.parametrize("command", [(), ("dataset",), ("image",), *commands(GROUP)])
def test_help_fits_eighty_columns_and_cuts_no_sentence(shutterless, command):
    _, *lines = shutterless(*command, "--help").stdout.splitlines()
    assert [line for line in lines if len(line) > 80 or line.endswith("...")] == []


@pytest.mark.parametrize("command", list(commands(GROUP)))
def test_the_help_of_a_command_has_an_example(shutterless, command):
    shown = shutterless(*command, "--help").stdout
    assert re.search(rf"Examples?:\s+shutterless {' '.join(command)} ", shown)


@pytest.mark.parametrize("command", [(), ("dataset",), ("predict",), ("dataset", "sample")])
def test_h_is_short_for_help(shutterless, command):
    assert shutterless(*command, "-h").stdout == shutterless(*command, "--help").stdout


@pytest.mark.parametrize("command", [(), *commands(GROUP)])
def test_what_is_to_be_given_is_named_in_capitals(shutterless, command):
    shown = shutterless(*command, "--help").stdout
    assert re.findall(r"^ +-.*<[a-z].*|\{[a-z]+\}|<(?:path|str|int|list.*)>", shown, re.MULTILINE) == []


def test_a_shell_s_completion_can_be_shown(monkeypatch):
    monkeypatch.setenv("_SHUTTERLESS_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "shutterless pr")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert CliRunner().invoke(app, [], prog_name="shutterless").stdout.split() == ["predict", "promote"]


def test_ctrl_c_while_the_command_line_is_imported_is_a_line_and_no_traceback():
    """The signal comes where the first module is imported, as when one types Ctrl-C at once."""
    script = (
        "import builtins, signal, sys; from shutterless.cli import main; imported = builtins.__import__\n"
        "def interrupted(name, *arguments):\n"
        "    if name == 'typer': signal.raise_signal(signal.SIGINT)\n"
        "    return imported(name, *arguments)\n"
        "builtins.__import__ = interrupted; main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"error: Stopped by Ctrl-C\n")


def test_version_is_the_package_s(shutterless):
    assert shutterless("--version").stdout == f"{package.__version__}\n"


def test_what_is_wrong_and_what_to_do_are_a_line_each(shutterless, failing, tmp_path):
    failing(ShutterlessError("red-sky", "The [sky] is red", "Wait for [noon]."))
    done = shutterless("dataset", "sample", tmp_path / "new")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "error: The [sky] is red\nWait for [noon].\n"


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "x"),
            1,
            "error: x: No space left on device\nFree some space",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "x"),
            1,
            "error: x: Permission denied\nCheck the path",
        ),
        (
            ModuleNotFoundError("no keras", name="keras"),
            1,
            "error: This needs keras, which is not installed\nIn a clone",
        ),
        (
            ModuleNotFoundError("no boto3", name="boto3"),
            1,
            "error: This needs boto3, which is not installed\n"
            "In a clone of shutterless: pip install '.[aws]'\n",
        ),
        (KeyboardInterrupt(), 130, "error: Stopped by Ctrl-C\n"),
    ],
    ids=["full disk", "permission", "missing package", "missing package of AWS", "Ctrl-C"],
)
def test_what_the_system_raises_is_put_into_words(shutterless, failing, tmp_path, error, code, words):
    failing(error)
    done = shutterless("dataset", "sample", tmp_path / "new")
    assert done.exit_code == code
    assert done.stderr.startswith(words)
    assert "Traceback" not in done.stderr


def test_debug_lets_the_error_through(shutterless, failing, tmp_path):
    error = ShutterlessError("red-sky", "The sky is red")
    failing(error)
    assert shutterless("--debug", "dataset", "sample", tmp_path / "new").exception is error


def test_a_fault_of_ours_is_not_taken_for_the_user_s(shutterless, failing, tmp_path):
    error = ZeroDivisionError()
    failing(error)
    assert shutterless("dataset", "sample", tmp_path / "new").exception is error


@pytest.mark.parametrize("wrong", [("draw",), ("train",), ("dataset", "sample", "x", "--size", "8")])
def test_wrong_usage_exits_with_2(shutterless, wrong):
    assert shutterless(*wrong).exit_code == 2
