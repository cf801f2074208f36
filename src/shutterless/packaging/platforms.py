"""The platforms that an image can be for: the two that Lambda runs, and the Python it carries."""

from typing import Literal, get_args

from shutterless.errors import InputError

Platform = Literal["linux/amd64", "linux/arm64"]
PLATFORMS: tuple[Platform, ...] = get_args(Platform)

PYTHON = (3, 13)
# What wheels call the processors.
MACHINES = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
# From the C library of Amazon Linux 2023, the oldest of the bases, down to the oldest that wheels name.
GLIBC_MINORS = range(34, 16, -1)


def check_platform(value: str) -> Platform:
    """Return `value` if it is a platform; raises `ShutterlessError` that names them if not."""
    if value not in PLATFORMS:
        raise InputError(
            "unknown-platform",
            f"There is no platform {value!r}",
            f"Lambda runs these: {', '.join(PLATFORMS)}.",
        )
    return value


def wheel_tags(platform: Platform) -> list[str]:
    """Return the platform tags of the wheels that run there, the best first (PEP 600)."""
    machine = MACHINES[platform]
    return [f"manylinux_2_{minor}_{machine}" for minor in GLIBC_MINORS] + [f"manylinux2014_{machine}"]
