"""Several real processes train one model on this machine; some are killed or stopped, and the training goes on."""

import contextlib
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

import kerasgen
from kerasgen.runs import checkpoints
from kerasgen.training import cluster
from tests.support.commands import call, environment
from tests.support.poems import save, write_text

TINY = (
    "--data", "mini.txt", "--from-scratch", "--units", "8", "--batch-size", "12", "--seq-len", "10", "--no-log",
    "--quiet", "--length", "1", "--dtype", "float64",
)  # fmt: skip
SHORT = (*TINY, "--scratch-epochs", "40", "--learning-rate", "0.1", "--patience", "1")  # ends before its last pass
LONG = (*TINY, "--scratch-epochs", "120", "--learning-rate", "0.0005", "--patience", "1000")
MODEL, RUNS = "saved_models/my-mini.keras", "saved_models/runs"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the text, and the models that one process learns of it."""
    path = tmp_path_factory.mktemp("workers")
    write_text(path / "mini.txt")
    return path


@pytest.fixture(scope="module")
def alone(folder):
    """What one process learns, by the flags: ``alone(SHORT)`` gives the weights and the steps."""
    found = {}

    def learn(flags):
        if flags not in found:
            call(folder, "shakespeare", *flags, "--save-dir", f"alone-{len(found)}")
            found[flags] = weights(folder / f"alone-{len(found)}" / "my-mini.keras")
        return found[flags]

    return learn


def weights(path):
    model = kerasgen.load(path)
    return model.model.get_weights(), model.card["training"]["steps"]


def ports(count):
    """Ports that were free a moment ago."""
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in taken:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in taken]


class Group:
    """So many workers that were started with the same flags, each in a folder of its own."""

    def __init__(self, folder, count, flags):
        addresses = ",".join(f"127.0.0.1:{port}" for port in ports(count))
        self.folder, self.processes = folder, []
        for index in range(count):
            own = folder if index == 0 else folder / f"worker-{index}"
            own.mkdir(exist_ok=True)
            write_text(own / "mini.txt")
            where = ("--strategy", "multiworker", "--workers", addresses, "--worker-index", str(index))
            self.processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", "kerasgen.shakespeare", *flags, *where],
                    cwd=own, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                )
            )  # fmt: skip

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for process in self.processes:
            process.kill()
            process.communicate()

    def trained(self, first):
        """Wait until a checkpoint is newer than a step."""
        until = time.monotonic() + 150
        while step(self.folder) <= first:
            ended = [process.communicate() for process in self.processes if process.poll() is not None]
            assert not ended and time.monotonic() < until, ended
            time.sleep(0.1)

    def ended(self, *indices, code=None):
        """Wait for the end of some workers; each says so in one line, which is returned."""
        lines = []
        for index in indices:
            out, err = self.processes[index].communicate(timeout=60)
            assert self.processes[index].returncode == code and out == "", (out, err)
            assert err.count("\n") == 1 and "Traceback" not in err, err
            lines.append(err)
        return lines


def step(folder):
    runs = [path for path in (folder / RUNS).glob("mini-*") if path.is_dir()]
    return max((checkpoints.step_of(found) for run in runs for found in checkpoints.stored(run)), default=0)


def test_two_workers_learn_what_one_process_does_bit_for_bit(tmp_path, alone):
    with Group(tmp_path, 2, SHORT) as group:
        for index, process in enumerate(group.processes):
            out, err = process.communicate(timeout=120)
            assert process.returncode == 0, err
            assert (err.count("\n"), bool(out)) == (index, not index), err  # the chief generates, the other says a line
    expected, steps = alone(SHORT)
    found, made = weights(tmp_path / MODEL)
    assert made == steps < 40 * 40
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert not list(tmp_path.glob("worker-1/saved_models/*"))


def test_the_chief_stops_a_worker_dies_and_the_same_command_goes_on_with_another_number(tmp_path, alone):
    with Group(tmp_path, 3, LONG) as group:
        group.trained(0)
        group.processes[0].send_signal(signal.SIGSTOP)
        expected, steps = alone(LONG)  # while the others notice it
        for line in group.ended(1, 2, code=1):
            assert "has ended or does not answer" in line and "start all" in line
    reached = step(tmp_path)
    assert reached > 0
    with Group(tmp_path, 2, LONG) as group:
        group.trained(reached)
        group.processes[1].kill()
        (line,) = group.ended(0, code=1)
        assert "has ended or does not answer" in line and "start all" in line
    reached = step(tmp_path)
    with Group(tmp_path, 2, LONG) as group:
        group.trained(reached)
        group.processes[1].send_signal(signal.SIGTERM)
        first, second = group.ended(0, 1, code=128 + signal.SIGTERM)
        assert "resume with" in first and "says: stopped at step" in second
    call(tmp_path, "shakespeare", *LONG)
    found, made = weights(tmp_path / MODEL)
    assert made == steps > reached
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


def test_workers_whose_loss_is_no_number_end_in_one_line_each_and_leave_what_was_there(tmp_path):
    """That the weights are then those of before is a test of `fit`, through which all of them go."""
    flags = (*SHORT, "--dtype", "float32", "--learning-rate", "1e38")
    (tmp_path / MODEL).parent.mkdir()
    before = save(tmp_path / MODEL).read_bytes()
    with Group(tmp_path, 2, flags) as group:
        chief, other = group.ended(0, 1, code=1)
    assert chief.startswith("kerasgen: error: the loss became nan at step ") and "is not resumed" in chief
    assert "worker 0 (the chief)" in other and f"says: {chief.removeprefix('kerasgen: error: ')}" in other
    assert (tmp_path / MODEL).read_bytes() == before and not list(tmp_path.glob("worker-1/saved_models/*"))
    assert "the loss became nan" in call(tmp_path, "shakespeare", *flags, code=1).stderr


def test_two_devices_of_a_process_learn_what_one_does_bit_for_bit(tmp_path, alone):
    write_text(tmp_path / "mini.txt")
    code = (
        "import sys\nfrom kerasgen import shakespeare\nfrom kerasgen.models.backend import tf\n"
        "cpu = tf.config.list_physical_devices('CPU')[0]\n"
        "tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)\n"
        "shakespeare.main(sys.argv[1:])"
    )
    command = [sys.executable, "-c", code, *SHORT, "--strategy", "mirrored"]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    for ours, theirs in zip(weights(tmp_path / MODEL)[0], alone(SHORT)[0], strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("index, missing", [(0, "worker 1 at"), (1, r"worker 0 (the chief) at")])
def test_a_worker_that_never_comes_up_is_missed(tmp_path, monkeypatch, index, missing):
    monkeypatch.setattr(cluster, "PATIENCE", 1.0)
    write_text(tmp_path / "mini.txt")
    addresses = ",".join(f"127.0.0.1:{port}" for port in ports(2))
    where = ("--strategy", "multiworker", "--workers", addresses, "--worker-index", index)
    done = call(tmp_path, "shakespeare", *SHORT, *where, code=1)
    assert missing in done.stderr and "did not come up within 1 s" in done.stderr
    assert done.stderr.count("\n") == 1


REFUSED = {
    "one device": (("--strategy", "mirrored"), "needs two devices"),
    "no GPU": (("--strategy", "mirrored", "--gpus", "0"), "--gpus must name GPUs that TensorFlow sees, here none"),
    "no TPU": (("--strategy", "tpu"), "--device"),
    "no TF_CONFIG": (("--strategy", "multiworker"), "TF_CONFIG"),
    "no index": (("--strategy", "multiworker", "--workers", "a:1,b:2"), "--worker-index"),
    "no strategy": (("--workers", "a:1,b:2", "--worker-index", "0"), "--strategy multiworker"),
    "no port": (("--strategy", "multiworker", "--workers", "a,b:2", "--worker-index", "0"), "HOST:PORT"),
    "the same": (("--strategy", "multiworker", "--workers", "a:1,a:1", "--worker-index", "0"), "its own"),
    "too high": (("--strategy", "multiworker", "--workers", "a:1,b:2", "--worker-index", "2"), "between 0 and 1"),
    "uneven": (
        ("--strategy", "multiworker", "--workers", ",".join(f"a:{n}" for n in range(1, 6)), "--worker-index", "0"),
        "multiple of 5",
    ),
}


@pytest.mark.parametrize("flags, words", REFUSED.values(), ids=REFUSED)
def test_wrong_use_is_one_clear_line(folder, flags, words):
    done = call(folder, "shakespeare", *SHORT, *flags, code=2, TF_CONFIG="")
    assert done.stderr.count("\n") == 1 and words in done.stderr


@pytest.mark.parametrize("more, words", [((), "one by one"), (("--batch-size", "2", "--carry-state"), "--carry-state")])
def test_names_that_are_learned_one_by_one_are_not_shared(tmp_path, more, words):
    (tmp_path / "towns.txt").write_text("\n".join(f"town{n}" for n in range(30)))
    where = ("--strategy", "multiworker", "--workers", "a:1,b:2", "--worker-index", "0")
    done = call(tmp_path, "dino", "--data", "towns.txt", "--steps", "20", "--units", "8", *more, *where, code=2)
    assert words in done.stderr and done.stderr.count("\n") == 1


def test_the_cores_of_a_machine_are_shared_by_its_workers(monkeypatch):
    monkeypatch.setattr(cluster, "cores", lambda: 8)
    found = [cluster.Cluster(("a:1", "a:2", "b:1"), index).cores for index in range(3)]
    assert found == [4, 4, 8]


def test_tf_config_says_which_process_this_is():
    text = '{"cluster": {"chief": ["a:1"], "worker": ["b:2", "c:3"]}, "task": {"type": "worker", "index": 1}}'
    assert cluster.of_environment(text) == cluster.Cluster(("a:1", "b:2", "c:3"), 2)
