import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tongban_common.brokers import NoBroker, start_broker

POM = Path(__file__).parents[3] / "tools" / "kafka"


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout without a cache, on a machine with Java 17 and a Maven that finds no network."""
    if Path("/var/run/docker.sock").exists():
        pytest.skip("a container comes before what is asked here")
    shutil.copytree(POM, tmp_path / "tools" / "kafka")
    for name, says in (("java", 'openjdk version "17.0.1"'), ("mvn", "no network")):
        script = tmp_path / "bin" / name
        script.parent.mkdir(exist_ok=True)
        script.write_text(f"#!/bin/sh\necho '{says}' >&2\n[ $0 != ${{0%java}} ]\n")
        script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    monkeypatch.delenv("TONGBAN_KAFKA", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_broker_that_is_given_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TONGBAN_KAFKA", "kafka:9092")

    broker = start_broker()

    assert (broker.bootstrap, broker.kind) == ("kafka:9092", "environment")
    with pytest.raises(NoBroker):
        broker.kill9()


def test_where_the_jars_cannot_be_fetched_the_mock_says_why(bare: Path) -> None:
    broker = start_broker()
    broker.stop()

    assert broker.kind == "mock"
    assert "Maven cannot fetch Kafka's jars (no network)" in broker.reason
    assert not (bare / ".cache" / "kafka" / "4.3.1").exists()


@pytest.mark.kafka
def test_a_broker_in_the_foreground_takes_its_node_with_it() -> None:
    command = [sys.executable, "-m", "tongban_common.brokers"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None
        kind, address, *_ = process.stdout.readline().split()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0

    if kind == "native:":
        host, port = address.split(":")
        with socket.socket() as probe:
            assert probe.connect_ex((host, int(port))) != 0
