"""What the command line says of clips that are still to be encoded."""

from pathlib import Path

from typer.testing import CliRunner

from gateway.cli.app import app
from gateway.clock import Clock
from gateway.spool.files import Files
from gateway.spool.opening import open_spool
from gateway.spool.processes.live import LiveState
from tests.empty_index import with_index
from tests.forward.bench import clip, films, let_go, open_exam
from tests.memory import folder_in_memory


def listed(folder: Path) -> str:
    done = CliRunner().invoke(app, ["queue", "list", "--config", str(folder / "scopegate.toml")])
    assert done.exit_code == 0, done.output
    return done.output


def test_the_queue_says_how_many_clips_are_to_be_encoded_and_how_far_the_first_is() -> None:
    with folder_in_memory() as folder:
        (folder / "scopegate.toml").write_text(
            f'[station]\ndata_dir = "{folder / "data"}"\nruntime_dir = "{folder}"\n'
        )
        spool = open_spool(with_index(folder / "data"), clock=Clock())
        exam = open_exam(spool)
        clip(spool, exam, clip_as="h264")
        clip(spool, exam, clip_as="h264")
        let_go(spool, exam)
        assert listed(folder) == "2 clips to be encoded as H.264 before they are sent.\n"
        live = LiveState(folder=folder, process="forward", files=Files(), clock=Clock())
        at = {"exam": exam.id, "sop_instance_uid": "2.25.1", "percent": 40}
        live.write({"film": {**at, "into": "h264"}})
        assert ", the first is 40 % done." in listed(folder)
        live.write({"film": {**at, "into": "jpeg"}})
        assert listed(folder).splitlines() == [
            "2 clips to be encoded as H.264 before they are sent.",
            "An H.264 clip is made JPEG for an archive that takes no H.264: 40 % done.",
        ]
        live.write({})
        maker = films(spool)
        while maker.step():
            pass
        assert "encoded" not in listed(folder)
        spool.close()
