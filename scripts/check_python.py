"""Say what to install when Python is too old or cannot make a virtual environment.

Written for any Python 3, since it runs before anything else does.
"""

import sys

OLDEST = (3, 11)


def main():  # noqa: ANN201 - an old Python must be able to read this file
    """Return 0 when all is well, else 2 after one line on stderr."""
    if sys.version_info < OLDEST:
        found = ".".join(str(part) for part in sys.version_info[:3])
        sys.stderr.write(
            f"This needs Python 3.11 or newer; {sys.executable} is Python {found}. "
            "Install a newer one, for instance from python.org or with "
            "'apt install python3.12 python3.12-venv', "
            "and run 'make PYTHON=python3.12 demo'.\n"
        )
        return 2
    try:
        import ensurepip  # noqa: F401 - Debian leaves it out of its python3 package
        import venv  # noqa: F401
    except ImportError:
        sys.stderr.write(
            "This Python has no venv module. On Debian and Ubuntu: 'apt install python{}.{}-venv'; "
            "then run the command again.\n".format(*sys.version_info[:2])
        )
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
