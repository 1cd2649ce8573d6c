"""A training by Ray Train, which starts the workers, and starts all of them again where one dies.

Importing this module imports neither Ray nor TensorFlow.
"""

import os
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasgen.base import console
from kerasgen.base.errors import FailedError, StoppedError
from kerasgen.runs import ray_cluster, signals
from kerasgen.runs.ray_rank import PAUSE, Desk, Outcome, Plan, work

if TYPE_CHECKING:  # it imports NumPy, which --help does not wait for
    from kerasgen.tasks.task import Task

AGAIN = 3  # times that the workers are started again
_OF_TERMINALS = ("TERM", "NO_COLOR", "COLUMNS")
_END = 15.0  # seconds that workers have to end after their chief


def train(task: "Task", path: Path, train_as_one: Callable[["Task", Path], Any]):
    """Train on a Ray cluster: the one that ``RAY_ADDRESS`` names, else one of this machine that ends with the training.

    Ray starts the workers and tells each who the others are; then they train as those of ``--strategy multiworker``.
    One that dies takes the others with it; Ray starts them again, and they go on from the last checkpoint.

    Args:
        task: what is trained.
        path: of the model.
        train_as_one: what a worker does, in a process of its own.

    Returns:
        The `TrainedGenerator` of the model that the workers saved, and the seconds that it took.

    Raises:
        BadInputError: Ray is not installed, or the batch can't be shared.
        FailedError: workers died more than `AGAIN` times, or could not be started.
        StoppedError: a signal ended it; all is kept.
    """
    count = task.settings.num_workers or 1
    task.check_shared(count)
    ray = ray_cluster.imported()

    from kerasgen.modelfile import loader

    with ray_cluster.cluster(ray, count), ray_cluster.records(ray, path) as storage:
        try:
            outcome = _supervised(ray, task, count, storage, lambda one: train_as_one(one, path))
        except ray.exceptions.RayError as error:
            same = "all machines of the cluster need the same kerasgen, and to stay connected"
            raise FailedError(f"Ray has failed: {_last_line(error)}; {same}") from None
    if outcome.code:
        raise outcome.error()
    generator = loader.load(path, device=task.settings.place)
    return generator, generator.card["training"]["seconds"]


def _supervised(ray: Any, task: "Task", count: int, storage: str, work_as_one: Callable) -> Outcome:
    """Let Ray's workers train while this process shows what the chief prints, and hands signals on to it.

    Raises:
        FailedError: workers died too often, or could not be started.
        StoppedError: a signal came while no chief was there.
    """
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.tensorflow import TensorflowTrainer
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    desk = ray.remote(num_cpus=0, scheduling_strategy=here)(Desk).remote()
    plan = Plan(task, work_as_one, os.getcwd(), *_terminals())
    trainer = TensorflowTrainer(
        lambda: work(plan, desk),
        scaling_config=ScalingConfig(num_workers=count, use_gpu=task.settings.place.startswith("gpu")),
        run_config=RunConfig(
            storage_path=storage, failure_config=FailureConfig(max_failures=AGAIN, controller_failure_limit=0)
        ),
    )
    wrong: list[Exception] = []

    def fit() -> None:
        try:
            trainer.fit()
        except Exception as error:  # Ray wraps whatever a worker raised
            wrong.append(error)

    thread = threading.Thread(target=fit, daemon=True)  # in the main thread, Ray would take Ctrl-C for itself
    starts, left = 0, _END
    with signals.noted(True) as signalled:
        console.note(f"Ray starts {count} workers", task.settings.quiet)
        thread.start()
        while thread.is_alive() and left > 0:
            thread.join(PAUSE)
            starts, there, outcome = _shown(ray, desk, signalled(), starts)
            if outcome:
                left -= PAUSE
            elif (number := signalled()) and not there:
                raise StoppedError("stopped while the workers were being started; the same command resumes", number)
        *_, outcome = _shown(ray, desk, 0, starts)
        if outcome and not outcome.code and (number := signalled()):
            raise StoppedError("stopped once the model was saved", number)
    if outcome is None:
        _cleared()
        return failed(ray, wrong, count)
    return outcome


def _cleared() -> None:
    """Take the progress bar of a chief that has died away, and show the cursor that it hid."""
    if sys.stderr.isatty():
        sys.stderr.write("\x1b[?25h\r\x1b[2K")
        sys.stderr.flush()


def _shown(ray: Any, desk: Any, number: int, starts: int) -> tuple[int, bool, Outcome | None]:
    """Print what the chief has handed in; return how often it began, whether it is there, and how all ended."""
    printed, now, there = ray.get(desk.take.remote(number))
    if now > max(1, starts):
        _cleared()
        console.note(f"a worker has died; all are started again, from the last checkpoint ({now - 1} of {AGAIN} times)")
    for name, text in printed:
        stream = getattr(sys, name)
        stream.write(text)
        stream.flush()
    return now, there, ray.get(desk.outcome.remote())


def failed(ray: Any, wrong: list[Exception], count: int) -> Outcome:
    """Say why Ray gave up: what it raised, if anything."""
    name = type(wrong[0]).__name__ if wrong else ""
    if name == "ControllerError":
        there = ray.cluster_resources().get("CPU", 0)
        what = (
            f"Ray could not start {count} workers within {os.environ[ray_cluster.PATIENCE]} s; each takes a core, and "
            f"the cluster has {there:.0f}; lower --num-workers, or set {ray_cluster.PATIENCE} to wait longer"
        )
    elif name == "WorkerGroupError":
        said = sorted({_last_line(error) for error in getattr(wrong[0], "worker_failures", {}).values()})
        what = (
            f"workers died {AGAIN + 1} times, the last time with: {'; '.join(said)}; the same command goes on from the "
            "last checkpoint"
        )
    else:
        what = f"Ray has failed: {_last_line(wrong[0]) if wrong else 'it ended without the model of the workers'}"
    return Outcome(0, what, 1)


def _last_line(error: Exception) -> str:
    """Return what an error says first after the traceback of another process."""
    return next((line.strip() for line in reversed(str(error).splitlines()) if line.strip()), "").partition(". ")[0][
        :200
    ]


def _terminals() -> tuple[frozenset[str], dict[str, str]]:
    """Return which of the standard streams a person sees, and by what they are laid out."""
    shown = frozenset(name for name in ("stdout", "stderr") if getattr(sys, name).isatty())
    found = {name: os.environ[name] for name in _OF_TERMINALS if name in os.environ}
    return shown, {"COLUMNS": str(shutil.get_terminal_size().columns), **found} if shown else found
