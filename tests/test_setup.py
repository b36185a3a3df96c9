"""What a person is told before anything is installed."""

from __future__ import annotations

import os
import runpy
import socket
import subprocess
import sys
from collections import namedtuple

import pytest

from tests.conftest import ROOT

Version = namedtuple("Version", "major minor micro")


@pytest.fixture
def check_python():
    return runpy.run_path(str(ROOT / "scripts" / "check_python.py"))["main"]


def test_this_python_will_do(check_python, capsys):
    assert check_python() == 0
    assert capsys.readouterr().err == ""


def test_an_old_python_is_named_with_what_to_install(check_python, capsys, monkeypatch):
    monkeypatch.setattr(sys, "version_info", Version(3, 9, 2))
    assert check_python() == 2
    complaint = capsys.readouterr().err
    assert "needs Python 3.11 or newer" in complaint
    assert "Python 3.9.2" in complaint
    assert complaint.count("\n") == 1


def test_a_python_without_venv_says_what_to_install(check_python, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "venv", None)  # importing it fails, as on a bare Debian
    assert check_python() == 2
    assert "apt install python3" in capsys.readouterr().err


def test_make_without_a_python_says_what_to_install():
    done = subprocess.run(
        ["make", "--silent", "python-ok", "PYTHON=no-such-python"],
        cwd=ROOT,
        env={**os.environ, "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Install Python 3.11 or newer" in done.stderr


def test_make_alone_lists_what_can_be_made():
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    for target in ("demo", "test", "check", "fix", "bench"):
        assert f"make {target}\t" in done.stdout


def test_a_taken_port_is_said_in_one_line():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "app.py", "--port", port],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.strip() == (
        f"Port {port} of 127.0.0.1 is taken. Choose another one with --port."
    )
