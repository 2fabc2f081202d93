"""A function in a process of its own, which Ctrl-C and the death of its parent end."""

import multiprocessing
import os
import select
import signal
import threading
import time

import pytest

from pymc_safetrunc.watchdog.child import run_in_child

pytestmark = pytest.mark.skipif(os.name != "posix", reason="forks, and sends signals")
FORK = multiprocessing.get_context("fork") if os.name == "posix" else None
LONG = 20


def run(function):
    return run_in_child(function, FORK, sampler="nutpie")


@pytest.fixture(autouse=True)
def hears_ctrl_c():
    # a job in the background is started with the signal ignored
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def pipe():
    ends = os.pipe()
    yield ends
    os.close(ends[0])


def test_what_is_returned_and_raised_comes_back():
    assert run(lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        run(lambda: 1 / 0)


def test_it_does_not_outlive_its_parent(pipe):
    told, tell = pipe

    def begin_and_hang():
        os.write(tell, b".")
        time.sleep(LONG)

    parent = FORK.Process(target=run, args=(begin_and_hang,))
    parent.start()
    os.close(tell)
    assert os.read(told, 1) == b"."
    parent.kill()
    parent.join()
    assert select.select([told], [], [], LONG / 2)[0], "the child lives on"
    assert os.read(told, 1) == b""  # nobody is left who could write


def test_ctrl_c_that_the_function_leaves_alone_is_no_death():
    with pytest.raises(KeyboardInterrupt):
        run(lambda: signal.raise_signal(signal.SIGINT))


@pytest.mark.parametrize("times", [1, 2])
def test_a_second_ctrl_c_ends_a_function_that_goes_on_after_the_first(times, pipe):
    told, tell = pipe

    def go_on():
        for _ in range(times):
            try:
                os.write(tell, b".")
                time.sleep(LONG)
            except KeyboardInterrupt:
                continue
        return "all there was"

    def interrupt(pid):
        for _ in range(times):
            os.read(told, 1)
            os.kill(pid, signal.SIGINT)

    def parent():
        threading.Thread(target=interrupt, args=(os.getpid(),), daemon=True).start()
        try:
            answer = run(go_on)
        except KeyboardInterrupt:
            answer = "interrupted"
        os.write(tell, answer.encode())

    process = FORK.Process(target=parent)
    process.start()
    process.join()
    os.close(tell)
    assert os.read(told, 99) == (b"all there was" if times == 1 else b"interrupted")
