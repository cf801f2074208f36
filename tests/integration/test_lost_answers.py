"""Every action on a deployment, interrupted at each of its calls to AWS, finishes when it is run again."""

import contextlib

import pytest

from shutterless import deploy as api
from shutterless.errors import DeployError
from tests.aws_as_it_is.deployments import NAME, alias, deploy, is_empty, make_bundle

pytestmark = pytest.mark.slow  # a thousand deployments


@pytest.fixture(scope="module")
def bundles(tmp_path_factory, described):
    """Return folders of several bundles, whose models are not run here."""
    folder = tmp_path_factory.mktemp("bundles")
    return [make_bundle(folder / str(number), described, f"model {number}") for number in range(4)]


def nothing(bundles):
    """Prepare an empty account."""


def three(bundles):
    for bundle in bundles[:3]:
        deploy(bundle)


def an_image(bundles):
    deploy(bundles[0], package="image")


def canary(bundles):
    three(bundles)
    deploy(bundles[3], canary=0.1, canary_minutes=0)


# name: (what is there before, the action, the alias in the end)
ACTIONS = {
    "first deploy": (nothing, lambda bundles: deploy(bundles[0]), ("1", {})),
    "first deploy of an image": (nothing, an_image, ("1", {})),
    "new model": (three, lambda bundles: deploy(bundles[3]), ("4", {})),
    "canary": (three, lambda bundles: deploy(bundles[3], canary=0.1, canary_minutes=0), ("3", {"4": 0.1})),
    "watched canary": (three, lambda bundles: deploy(bundles[3], canary=0.1, canary_minutes=1), ("4", {})),
    "promote": (canary, lambda _: api.promote(NAME), ("4", {})),
    "end of a canary": (canary, lambda _: api.rollback(NAME), ("3", {})),
    "rollback": (three, lambda _: api.rollback(NAME), ("2", {})),
    "destroy": (three, lambda _: api.destroy(NAME), None),
    "destroy of an image": (an_image, lambda _: api.destroy(NAME), None),
}


@pytest.mark.parametrize("fault", ["interrupt_before", "lose_answer", "repeat"])
@pytest.mark.parametrize(("prepare", "action", "result"), ACTIONS.values(), ids=ACTIONS)
def test_an_action_that_was_interrupted_finishes_when_it_is_run_again(
    account, bundles, fault, prepare, action, result
):
    prepare(bundles)
    snapshot, faults = account.snapshot(), account.faults
    calls = faults.count(lambda: action(bundles))
    for call in range(1, calls + 1):
        account.restore(snapshot)
        getattr(faults, fault)(call)
        with contextlib.suppress(KeyboardInterrupt, DeployError):
            action(bundles)
        operation = faults.calls[call - 1].operation
        faults.clear()
        action(bundles)
        end = None if is_empty(account) else alias(account)
        assert end == result, f"{fault}({call}), {operation}"
