"""Lists in answers: pages of them, and tags."""

from typing import Any

PAGE = 100


def pairs(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def page(items: list[Any], member: str, token: str, size: int = PAGE) -> dict[str, Any]:
    start = int(token)
    answer: dict[str, Any] = {member: items[start : start + size]}
    if len(items) > start + size:
        answer["NextToken"] = str(start + size)
    return answer
