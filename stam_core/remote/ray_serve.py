"""Replicas on Ray Serve: begun or joined, asked, watched and ended.

Serve starts them on the machines of a cluster, spreads questions over them, and replaces those that
die. Questions go by handle alone: no HTTP proxy is started, and no dashboard.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import importlib
import logging
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from stam_core import ray_module
from stam_core.any_engine import CACHE_BYTES
from stam_core.errors import ParameterError
from stam_core.remote.replica import Replica
from stam_core.remote.work import Refused, RemoteError, Work

logger = logging.getLogger(__name__)

APPLICATION = "stam"
LOCAL = "local"
WHAT_TO_INSTALL = (
    "Models on several machines need Ray Serve, which is not installed here. Install it with "
    "`pip install -r requirements-ray.txt`, or leave out --ray."
)
GONE = (
    "The machine that was working on this has stopped. Nothing of yours is lost: please ask again "
    "in a moment."
)
SILENT = "No machine answered within {seconds:g} seconds. Please ask again in a moment."
STORE_BYTES = 1024 * 2**20  # of a local cluster: models on their way, and decoded clips
# Questions that a replica takes at a time: they share its model, but an edit of milliseconds is to
# pass between the steps of long ones.
AT_ONCE = 8
SUBJECTS_KNOWN = 256  # clips for which a replica is asked first
# By default a second is waited for the replica that knows a clip before others are asked.
_ROUTER = {"RAY_SERVE_MULTIPLEXED_MODEL_ID_MATCHING_TIMEOUT_S": "0.1"}
# By default Ray's workers give way to everything else; here they are what people wait for.
_WORKERS = {"RAY_worker_niceness": "0"}
_END = object()


@dataclass(frozen=True)
class ReplicaPlan:
    """How the models are laid out on a cluster."""

    least: int  # replicas
    most: int  # more than `least`: Serve adds some while questions wait
    gpus_each: float
    cpus_each: float
    threads: int  # CPU threads of each model


class ServedReplica:
    """A replica as Serve runs it: work goes to threads, so that questions meet and can be ended."""

    def __init__(self, threads: int, cache_bytes: int) -> None:
        ray, serve = importlib.import_module("ray"), importlib.import_module("ray.serve")
        torch.set_num_threads(threads)
        device = "cuda" if ray.get_gpu_ids() else "cpu"
        self._replica = Replica(ray.get, device=device, cache_bytes=cache_bytes)
        # Serve's word for what a replica has at hand: here clips, for whose sake it is asked first.
        self._at_hand = serve.multiplexed(max_num_models_per_replica=SUBJECTS_KNOWN)(_known)
        self._wanted = serve.get_multiplexed_model_id

    async def ping(self) -> int:
        """The replica's process, as a sign of life."""
        return os.getpid()

    async def answer(self, work: Work) -> Any:  # noqa: ANN401 - whatever the question returns
        """See `Replica.answer`."""
        await self._at_hand(self._wanted())
        return await asyncio.to_thread(self._replica.answer, work)

    async def parts(self, work: Work) -> AsyncIterator[Any]:
        """See `Replica.parts`; when nobody listens any more the work ends after its step."""
        await self._at_hand(self._wanted())
        steps = self._replica.parts(work)
        step: asyncio.Future[Any] | None = None
        try:
            while True:
                step = asyncio.ensure_future(asyncio.to_thread(next, steps, _END))
                part = await asyncio.shield(step)
                if part is _END:
                    return
                yield part
        finally:
            if step is None or step.done():
                _close(steps)
            else:
                step.add_done_callback(lambda _: _close(steps))


async def _known(subject: str) -> str:
    return subject


def _close(steps: Any) -> None:  # noqa: ANN401 - a generator
    steps.close()


class RayServe:
    """The front's side: a `Caller` that brings questions to the replicas of a cluster."""

    def __init__(self, ray: Any, handle: Any, *, own: bool, patience_seconds: float) -> None:  # noqa: ANN401
        """Use `start_serve`."""
        self._ray = ray
        self._handle = handle
        self._own = own
        self._patience_seconds = patience_seconds
        self._exceptions = importlib.import_module("ray.serve.exceptions")

    def put(self, thing: object) -> Any:  # noqa: ANN401 - a reference into Ray's store
        """See `Caller.put`."""
        return self._ray.put(thing)

    def call(self, work: Work) -> Any:  # noqa: ANN401 - whatever the question returns
        """See `Caller.call`."""
        handle = self._handle.options(multiplexed_model_id=work.subject)
        try:
            found = handle.answer.remote(work).result(timeout_s=self._patience_seconds)
        except Exception as error:
            raise self._told(error) from error
        return _unpacked(found)

    def parts(self, work: Work) -> Iterator[Any]:
        """See `Caller.parts`."""
        handle = self._handle.options(multiplexed_model_id=work.subject, stream=True)
        response = handle.parts.remote(work)
        finished = False
        try:
            while True:
                try:
                    part = next(response, _END)
                except Exception as error:
                    finished = True
                    raise self._told(error) from error
                if part is _END:
                    finished = True
                    return
                yield _unpacked(part)
        finally:
            if not finished:
                response.cancel()

    def running(self) -> int:
        """Replicas that run, by Serve's own checks; a busy one does."""
        serve = importlib.import_module("ray.serve")
        try:
            deployments = serve.status().applications[APPLICATION].deployments.values()
        # Ray, Serve and the connection have each their own ways to fail: all mean none.
        except Exception:
            return 0
        return sum(deployment.replica_states.get("RUNNING", 0) for deployment in deployments)

    def stop(self) -> None:
        """End the replicas, and the cluster where it was begun here."""
        serve = importlib.import_module("ray.serve")
        try:
            if self._own:
                serve.shutdown()
            else:
                serve.delete(APPLICATION)
        # Whatever is left of the cluster, this process leaves it.
        except Exception as error:
            logger.warning("the replicas could not be ended: %s", type(error).__name__)
        self._ray.shutdown()

    def _told(self, error: Exception) -> Exception:
        """For the person where no replica answered; a mistake of ours stays what it is."""
        failures = (self._ray.exceptions.RayError, self._exceptions.RayServeException)
        if isinstance(error, (TimeoutError, concurrent.futures.TimeoutError)):
            return RemoteError(SILENT.format(seconds=self._patience_seconds))
        ours = isinstance(error, self._ray.exceptions.RayTaskError)
        return RemoteError(GONE) if isinstance(error, failures) and not ours else error


def _unpacked(found: Any) -> Any:  # noqa: ANN401
    if isinstance(found, Refused):
        raise found.error
    return found


def import_serve(*, local: bool = False) -> Any:  # noqa: ANN401 - an optional module
    """Ray with Serve.

    Raises:
        ParameterError: it is not installed; the message says how to.
    """
    for name, value in {**_ROUTER, **(_WORKERS if local else {})}.items():
        os.environ.setdefault(name, value)
    try:
        return ray_module.import_ray("serve", local=local)
    except ImportError as error:
        raise ParameterError(WHAT_TO_INSTALL) from error


def start_serve(
    address: str = LOCAL,
    *,
    replicas: tuple[int, int] | None = None,
    modules: Sequence[str] = ("stam_core",),
    cores: int | None = None,
    cache_bytes: int = CACHE_BYTES,
    patience_seconds: float = 600.0,
    plan: ReplicaPlan | None = None,
) -> RayServe:
    """Join a cluster, or begin one on this machine that listens on loopback only; start replicas.

    Args:
        address: "local"; or a cluster this machine is part of: "auto", or "host:6379".
        replicas: least and most; None: one for each GPU, or else for each machine.
        modules: packages whose functions questions are; replicas get them from here.
        cores: of a local cluster; None: of this machine.
        cache_bytes: as of `Engine`, of each model in each replica.
        patience_seconds: after which a question without an answer is given up.
        plan: in place of one made for the cluster.

    Raises:
        ParameterError: Ray is absent, or the address is of a kind that cannot be used.
        RemoteError: the cluster cannot be reached, or no replica starts.
    """
    if address.startswith("ray://"):
        raise ParameterError(
            f"{address!r} is for Ray's client, through which answers cannot come in parts. Make "
            "this machine part of the cluster (`ray start --address=...`) and use --ray auto."
        )
    ray = import_serve(local=address == LOCAL)
    _connect(ray, address, modules, cores)
    try:
        plan = plan or plan_for(ray, replicas)
        handle = _deploy(plan, cache_bytes, patience_seconds)
    except (ray.exceptions.RayError, RuntimeError, TimeoutError) as error:
        ray.shutdown()
        raise RemoteError(f"No replica started: {_first_line(error)}.") from error
    return RayServe(ray, handle, own=address == LOCAL, patience_seconds=patience_seconds)


def _connect(ray: Any, address: str, modules: Sequence[str], cores: int | None) -> None:  # noqa: ANN401
    found = [importlib.import_module(name).__path__[0] for name in modules]
    options: dict[str, Any] = {
        **ray_module.QUIET,
        "runtime_env": {"py_modules": [str(Path(path)) for path in found]},
    }
    if address == LOCAL:
        options |= {
            "num_cpus": max(2, cores or os.cpu_count() or 2),
            "include_dashboard": False,
            "object_store_memory": STORE_BYTES,
        }
    else:
        options["address"] = address
    try:
        ray.init(**options)
    # Ray raises errors of every kind here, bare `Exception` too.
    except Exception as error:
        where = "on this machine" if address == LOCAL else f"at {address!r}"
        raise RemoteError(
            f"No Ray cluster {where}: {_first_line(error)}. Check --ray and `ray status`, and that "
            "RAY_AUTH_MODE is what it was where the cluster was started."
        ) from error


def plan_for(ray: Any, replicas: tuple[int, int] | None) -> ReplicaPlan:  # noqa: ANN401
    """One replica per GPU; without any, one per machine.

    A replica reserves one core and computes on its share of all: beside it stand only the front's
    decoders, which are as often idle.

    Args:
        ray: the module, connected.
        replicas: least and most asked for.
    """
    resources = ray.cluster_resources()
    gpus, cpus = int(resources.get("GPU", 0)), int(resources.get("CPU", 1))
    nodes = max(1, sum(bool(node["Alive"]) for node in ray.nodes()))
    least, most = replicas or (gpus or nodes,) * 2
    threads = max(1, cpus // max(most, nodes))
    return ReplicaPlan(least, most, float(gpus > 0), 1.0, threads)


def _deploy(plan: ReplicaPlan, cache_bytes: int, patience_seconds: float) -> Any:  # noqa: ANN401 - a handle
    serve = importlib.import_module("ray.serve")
    quiet = {"log_level": "ERROR", "enable_access_log": False}
    logging.getLogger("ray.serve").setLevel(logging.ERROR)
    serve.start(proxy_location="Disabled", logging_config=quiet)
    counts: dict[str, Any] = {"num_replicas": plan.least}
    if plan.most > plan.least:
        scaling = {"min_replicas": plan.least, "max_replicas": plan.most}
        counts = {"autoscaling_config": {**scaling, "target_ongoing_requests": 2}}
    deployment = serve.deployment(
        **counts,
        max_ongoing_requests=AT_ONCE,
        graceful_shutdown_timeout_s=2,
        graceful_shutdown_wait_loop_s=0.2,
        logging_config=quiet,
        ray_actor_options={"num_cpus": plan.cpus_each, "num_gpus": plan.gpus_each},
    )(ServedReplica)
    application = deployment.bind(plan.threads, cache_bytes)
    handle = serve.run(application, name=APPLICATION, route_prefix=None)
    handle.ping.remote().result(timeout_s=patience_seconds)
    return handle


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no answer"])[0][:300].rstrip(".")
