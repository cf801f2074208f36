"""The platforms of an image, the two that Lambda runs, and its version of Python."""

from typing import Literal, get_args

from shutterless.errors import InputError

Platform = Literal["linux/amd64", "linux/arm64"]
PLATFORMS: tuple[Platform, ...] = get_args(Platform)

PYTHON = (3, 13)
# The processors' names in wheels.
MACHINES = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
# Minor versions of glibc: from that of Amazon Linux 2023, the oldest base, down to the oldest in wheels.
GLIBC_MINORS = range(34, 16, -1)


def check_platform(value: str) -> Platform:
    """Return `value` if it is a platform that Lambda runs.

    Raises:
        InputError: `unknown-platform` with the names of those that are.
    """
    if value not in PLATFORMS:
        raise InputError(
            "unknown-platform",
            f"{value!r} is not a platform",
            f"Choose one that Lambda runs: {', '.join(PLATFORMS)}.",
        )
    return value


def wheel_tags(platform: Platform) -> list[str]:
    """Return the platform tags of the wheels that a platform runs, the best first (PEP 600)."""
    machine = MACHINES[platform]
    return [f"manylinux_2_{minor}_{machine}" for minor in GLIBC_MINORS] + [f"manylinux2014_{machine}"]
