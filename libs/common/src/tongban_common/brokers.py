"""A Kafka broker for tests and development, the best that this machine can give.

In this order: the address in TONGBAN_KAFKA; testcontainers where a Docker socket answers; the real
Apache Kafka jars, fetched once by Maven, where Java 17+ exists; librdkafka's mock cluster from the
`confluent-kafka` wheel, for the subset that it can do (no second member in a group).
"""

import asyncio
import atexit
import base64
import ctypes
import fcntl
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError

Kind = Literal["environment", "container", "native", "mock"]
_VERSION = "4.3.1"
_READY_SECONDS = 40


class NoBroker(Exception):
    """Nothing on this machine can give a broker."""


class _Missing(Exception):
    """What this machine lacks for one kind of broker; the next kind is tried."""


@dataclass
class Broker:
    """A running broker, and why it is this one."""

    bootstrap: str
    kind: Kind
    reason: str
    _owner: Any = None  # what stops it, where we started it

    @property
    def can_rebalance(self) -> bool:
        return self.kind != "mock"

    def stop(self) -> None:
        if self._owner is not None:
            self._owner.stop()

    def kill9(self) -> None:
        """As a power cut; only a native broker can."""
        self._native().kill9()

    def restart(self) -> None:
        """The same node on the same ports over the same data."""
        self._native().start()

    def create_topics(self, topics: Sequence[str], partitions: int) -> None:
        """On the mock, which has no admin protocol; `ensure_topics` is for the others."""
        if not isinstance(self._owner, _Mock):
            raise NoBroker(f"a {self.kind} broker has an admin protocol")
        self._owner.create_topics(topics, partitions)

    def _native(self) -> "_Node":
        if not isinstance(self._owner, _Node):
            raise NoBroker(f"a {self.kind} broker cannot be killed")
        return self._owner


def start_broker() -> Broker:
    """Raises NoBroker, saying what was looked for."""
    given = os.environ.get("TONGBAN_KAFKA")
    if given:
        return Broker(given, "environment", "TONGBAN_KAFKA names it")
    missing = ["TONGBAN_KAFKA is not set"]
    for kind in (_container, _native, _mock):
        try:
            return kind(", ".join(missing))
        except _Missing as what:
            missing.append(str(what))
    raise NoBroker("; ".join(missing))


def _container(_: str) -> Broker:
    if not Path("/var/run/docker.sock").exists():
        raise _Missing("no Docker socket")
    try:
        from testcontainers.community.kafka import KafkaContainer

        container = KafkaContainer(f"apache/kafka:{_VERSION}").start()
    except Exception as fault:  # a socket without an engine behind it
        raise _Missing(f"Docker does not answer ({type(fault).__name__})") from fault
    return Broker(
        container.get_bootstrap_server(), "container", "a Docker socket answers", container
    )


def _native(missing: str) -> Broker:
    java = _java()
    if java is None:
        raise _Missing("no Java 17+")
    node = _Node(_jars())
    node.start()
    return Broker(
        node.bootstrap, "native", f"{missing}; Java {java} and Kafka's jars are here", node
    )


def _mock(missing: str) -> Broker:
    mock = _Mock()
    return Broker(mock.bootstrap, "mock", missing, mock)


async def ensure_topics(
    bootstrap: str, topics: Sequence[str], *, partitions: int, replicas: int = 1
) -> None:
    """Create what is missing; what is there stays as it is."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=10_000)
    try:
        await admin.start()
        known = set(await admin.list_topics())
        fresh = [
            NewTopic(topic, num_partitions=partitions, replication_factor=replicas)
            for topic in sorted(set(topics) - known)
        ]
        if fresh:
            await admin.create_topics(fresh)
    except TopicAlreadyExistsError:
        return  # another process was faster
    finally:
        await admin.close()


async def remove_topics(bootstrap: str, topics: Sequence[str]) -> None:
    """Delete topics with all they hold, and wait until they are gone."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=10_000)
    await admin.start()
    try:
        gone = sorted(set(topics) & set(await admin.list_topics()))
        if gone:
            await admin.delete_topics(gone)
        while set(gone) & set(await admin.list_topics()):  # noqa: ASYNC110 - only it knows
            await asyncio.sleep(0.05)
    finally:
        await admin.close()


class _Node:
    """One KRaft node from the jars, on free ports, over a data folder of its own."""

    def __init__(self, jars: Path) -> None:
        self._jars = jars
        self._folder = Path(tempfile.mkdtemp(prefix="tb-kafka-"))
        self._port, controller = _free_ports(2)
        self.bootstrap = f"127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None
        self._config = self._folder / "server.properties"
        self._config.write_text(
            _PROPERTIES.format(port=self._port, controller=controller, data=self._folder / "data")
        )
        atexit.register(self.stop)  # a run that breaks off must not leave a JVM behind
        cluster = base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")
        self._run("kafka.tools.StorageTool", "format", f"-t={cluster}", f"-c={self._config}").wait()

    def start(self) -> None:
        self._process = self._run("kafka.Kafka", str(self._config))
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            if _listens(self._port) and asyncio.run(_answers(self.bootstrap)):
                return
            time.sleep(0.2)
        log = (self._folder / "log").read_text(errors="replace")[-2000:]
        raise NoBroker(f"Kafka did not start:\n{log}")

    def stop(self) -> None:
        atexit.unregister(self.stop)
        self._signal(signal.SIGTERM)
        shutil.rmtree(self._folder, ignore_errors=True)

    def kill9(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _run(self, *command: str) -> subprocess.Popen[bytes]:
        logging = self._jars / "log4j2.properties"
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own arguments
                [  # noqa: S607 - the java of the path
                    "java",
                    "-Xms128m",
                    "-Xmx384m",
                    "-XX:+UseSerialGC",
                    "-XX:TieredStopAtLevel=1",
                    f"-Dlog4j2.configurationFile={logging}",
                    *command,
                ],
                env={**os.environ, "CLASSPATH": f"{self._jars}/*"},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us, not for the broker
            )


_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=3
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=3
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
"""


def _listens(port: int) -> bool:
    """Asked first: the client logs each refused connection as an error."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def _answers(bootstrap: str) -> bool:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=2000)
    try:
        await admin.start()
        await admin.describe_cluster()
    except (KafkaError, OSError):
        return False
    finally:
        await admin.close()
    return True


def _java() -> int | None:
    """The major version of the java on the path, when it is 17 or later."""
    if shutil.which("java") is None:
        return None
    done = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False)  # noqa: S607
    found = re.search(r'version "(\d+)', done.stderr + done.stdout)
    version = int(found.group(1)) if found else 0
    return version if version >= 17 else None


def _jars() -> Path:
    """The folder of the jars, fetched once; two processes may ask at the same time."""
    pom, cache = _places()
    jars = cache / "kafka" / _VERSION
    jars.parent.mkdir(parents=True, exist_ok=True)
    with (jars.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (jars / "log4j2.properties").exists():
            _fetch(pom, jars)
    return jars


def _fetch(pom: Path, jars: Path) -> None:
    """Into a folder beside it, renamed when complete: a fetch that breaks off leaves nothing."""
    mvn = shutil.which("mvn")
    if mvn is None:
        raise _Missing("no mvn")
    partial = jars.with_name(f"{jars.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime"]
    done = subprocess.run(  # noqa: S603 - our own arguments
        [mvn, "-q", "-B", "-f", str(pom), *goal, f"-DoutputDirectory={partial}"],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).strip().splitlines() or [f"exit {done.returncode}"]
        raise _Missing(f"Maven cannot fetch Kafka's jars ({lines[0][:160]})")
    shutil.copy(pom.with_name("log4j2.properties"), partial)
    shutil.rmtree(jars, ignore_errors=True)
    partial.rename(jars)


def _places() -> tuple[Path, Path]:
    """tools/kafka/pom.xml of the checkout, and the cache beside it."""
    start = Path.cwd()
    for folder in (start, *start.parents, *Path(__file__).resolve().parents):
        pom = folder / "tools" / "kafka" / "pom.xml"
        if pom.exists():
            return pom, folder / ".cache"
    raise _Missing("no tools/kafka/pom.xml, as outside the checkout")


def _free_ports(count: int) -> list[int]:
    """Below the range that the system gives to outgoing connections.

    While a killed broker is away, a client that calls its port again and again could be given
    that very port as its own, and the broker could not come back to it.
    """
    found: set[int] = set()
    while len(found) < count:
        port = random.randrange(20_000, 32_000)  # noqa: S311 - no secret
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.add(port)
    return sorted(found)


class _Mock:
    """librdkafka's mock cluster, through the library inside the confluent-kafka wheel."""

    def __init__(self) -> None:
        spec = find_spec("confluent_kafka")
        if spec is None or spec.origin is None:
            raise _Missing("no confluent-kafka wheel")
        beside = Path(spec.origin).parents[1] / "confluent_kafka.libs"
        inside = Path(spec.origin).parent / ".dylibs"
        found = [*beside.glob("librdkafka*.so*"), *inside.glob("librdkafka*.dylib")]
        if not found:
            raise _Missing("the confluent-kafka wheel holds no librdkafka")
        self._library = ctypes.CDLL(str(found[0]))
        for name in ("rd_kafka_new", "rd_kafka_mock_cluster_new"):
            getattr(self._library, name).restype = ctypes.c_void_p
        self._library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
        errors = ctypes.create_string_buffer(512)
        client = ctypes.c_void_p(self._library.rd_kafka_new(0, None, errors, 512))
        self._cluster = ctypes.c_void_p(self._library.rd_kafka_mock_cluster_new(client, 1))
        self.bootstrap = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()

    def create_topics(self, topics: Sequence[str], partitions: int) -> None:
        for topic in topics:
            self._library.rd_kafka_mock_topic_create(self._cluster, topic.encode(), partitions, 1)

    def stop(self) -> None:
        cluster, self._cluster = self._cluster, ctypes.c_void_p()
        if cluster.value is not None:
            self._library.rd_kafka_mock_cluster_destroy(cluster)


def main() -> None:
    """Run a broker in the foreground, until Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    broker = start_broker()
    print(f"{broker.kind}: {broker.bootstrap} ({broker.reason})", flush=True)  # noqa: T201
    try:
        signal.pause()
    except KeyboardInterrupt:
        return
    finally:
        broker.stop()


if __name__ == "__main__":
    main()
