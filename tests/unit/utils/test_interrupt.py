import os
import signal
import threading

import pytest

from shutterless.utils.interrupt import check_interrupt, interrupted, interruptible


@pytest.fixture(autouse=True)
def pythons_own_handler():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler


def press():
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(1000):  # Python looks for signals between its own instructions
        pass


class Swallowing:
    def __del__(self):
        press()


def test_ctrl_c_that_a_destructor_swallows_is_raised_at_the_next_safe_point(capfd):
    with pytest.raises(KeyboardInterrupt), interruptible():
        swallowing = Swallowing()
        del swallowing
        reached = True
        check_interrupt()
    assert reached
    assert not interrupted()
    assert capfd.readouterr().err == ""


def test_ctrl_c_that_nothing_asks_about_is_raised_at_the_end_of_the_block():
    with pytest.raises(KeyboardInterrupt), interruptible():
        swallowing = Swallowing()
        del swallowing


def test_ctrl_c_that_an_import_turns_into_its_own_error_is_one_again():
    def start():
        try:
            press()
        except KeyboardInterrupt:
            raise ImportError("initialization failed") from None

    with pytest.raises(KeyboardInterrupt), interruptible():
        start()


def test_an_inner_block_raises_what_was_swallowed_before_it():
    with pytest.raises(KeyboardInterrupt), interruptible():
        swallowing = Swallowing()
        del swallowing
        with interruptible():
            raise AssertionError("the inner block has begun")


def test_other_errors_and_other_handlers_are_left_alone():
    with pytest.raises(KeyError), interruptible():
        raise KeyError
    signals = []
    signal.signal(signal.SIGINT, lambda *arguments: signals.append(arguments[0]))
    with interruptible():
        press()
    assert signals == [signal.SIGINT]
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_in_another_thread_nothing_is_changed():
    handlers = []

    def work():
        with interruptible():
            handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [signal.default_int_handler]
