import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from corpora import ByteEncoder, ManyTokens, files_in, story, story_corpus
from cutaway import atomic_file
from cutaway.data import (
    Job,
    Manifest,
    PrepareSettings,
    Share,
    TokenFolder,
    all_pieces,
    find,
    merge,
    prepare,
    workers,
)
from cutaway.data.lock import locked
from cutaway.errors import ConfigError, DataError
from cutaway.tokenizer import Tokenizer

SETTINGS = PrepareSettings(validation=0.1, unit_bytes=2048)


def job_of(folder, encoder=None, settings=SETTINGS, **corpus):
    return Job(story_corpus(folder, **corpus), encoder or ByteEncoder(), settings)


@pytest.fixture
def job(tmp_path):
    return job_of(tmp_path / "corpus")


@pytest.fixture
def whole(job, tmp_path):
    """What one uninterrupted process makes."""
    prepare(job, tmp_path / "whole")
    return files_in(tmp_path / "whole")


def texts_of(folder, encoder):
    """The documents of all splits, decoded."""
    documents = []
    data = TokenFolder(folder)
    for split in ("train", "validation"):
        tokens = data.tokens(split)
        content = tokens.read(0, len(tokens)).tolist()
        while content:
            end = content.index(encoder.eot)
            documents.append(bytes(content[:end]).decode())
            del content[: end + 1]
    return documents


def test_every_document_is_in_the_shards_once(job, tmp_path):
    prepare(job, tmp_path / "out")
    assert sorted(texts_of(tmp_path / "out", ByteEncoder)) == sorted(story(i) for i in range(80))


def test_the_folder_holds_shards_manifest_and_tokenizer_and_nothing_else(job, tmp_path):
    manifest = prepare(job, tmp_path / "out")
    listed = {shard.file for shard in manifest.shards}
    assert len(manifest.of("train")) > 5
    assert files_in(tmp_path / "out").keys() == listed | {"manifest.json", "bytes.txt"}


def test_the_manifest_counts_what_is_there(job, tmp_path):
    manifest = prepare(job, tmp_path / "out")
    totals = [manifest.totals(split) for split in ("train", "validation")]
    text_bytes = sum(len(story(i).encode()) for i in range(80))
    assert sum(total.n_documents for total in totals) == 80
    assert sum(total.text_bytes for total in totals) == text_bytes
    assert sum(total.n_tokens for total in totals) == text_bytes + 80
    assert [source["name"] for source in manifest.job["sources"]] == ["0.jsonl", "1.jsonl", "2.jsonl", "3.jsonl"]
    assert Manifest.read(tmp_path / "out") == manifest


def test_any_number_of_processes_makes_the_same_files(job, whole, tmp_path):
    prepare(job, tmp_path / "out", workers=2)
    assert files_in(tmp_path / "out") == whole


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2)])
def test_three_machines_make_the_same_files(job, whole, tmp_path, order):
    results = [prepare(job, tmp_path / "out", share=Share(index=i, count=3)) for i in order]
    assert results[:2] == [None, None]
    assert results[2] == Manifest.read(tmp_path / "out")
    assert files_in(tmp_path / "out") == whole


def test_shares_from_different_disks_are_merged(job, whole, tmp_path):
    for i in (1, 2, 3):
        prepare(job, tmp_path / str(i), share=Share(index=i, count=3))
        shutil.copytree(tmp_path / str(i), tmp_path / "out", dirs_exist_ok=True)
        assert (merge(tmp_path / "out") is None) == (i < 3)
    assert files_in(tmp_path / "out") == whole


def test_a_share_may_be_empty(tmp_path):
    job = job_of(tmp_path / "corpus", files=1)
    for i in (1, 2, 3):
        manifest = prepare(job, tmp_path / "out", share=Share(index=i, count=3))
    assert manifest.totals("train").n_documents + manifest.totals("validation").n_documents == 20


def test_shards_that_were_not_copied_are_missed(job, tmp_path):
    for i in (1, 2):
        prepare(job, tmp_path / "out", share=Share(index=i, count=3))
    prepare(job, tmp_path / "3", share=Share(index=3, count=3))
    shutil.copytree(tmp_path / "3" / ".progress", tmp_path / "out" / ".progress", dirs_exist_ok=True)
    with pytest.raises(DataError, match=r"cannot read .*00002-00000\.bin: No such file"):
        merge(tmp_path / "out")


def test_shares_of_different_jobs_are_not_merged(job, tmp_path):
    prepare(job, tmp_path / "out", share=Share(index=1, count=2))
    other = job_of(tmp_path / "corpus", settings=PrepareSettings(validation=0.2, unit_bytes=2048))
    prepare(other, tmp_path / "2", share=Share(index=2, count=2))
    shutil.copytree(tmp_path / "2", tmp_path / "out", dirs_exist_ok=True)
    with pytest.raises(DataError, match=r"a share in .* made with settings validation=0\.2, not 0\.1"):
        merge(tmp_path / "out")


KILLED = """
import sys
sys.path.insert(0, {tests!r})
from test_data_prepare import ByteEncoder, Job, Path, SETTINGS, find, prepare, time

class Slow(ByteEncoder):
    def encode(self, text):
        time.sleep(0.002)
        return super().encode(text)

if __name__ == "__main__":
    print("ready", flush=True)
    prepare(Job(find([{corpus!r}]), Slow(), SETTINGS), Path({out!r}), workers={workers})
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_run_is_taken_up_again_and_ends_the_same(job, whole, tmp_path, workers):
    out, rng = tmp_path / "out", random.Random(workers)
    code = KILLED.format(
        tests=str(Path(__file__).parent), corpus=str(tmp_path / "corpus"), out=str(out), workers=workers
    )
    script = tmp_path / "killed.py"
    script.write_text(code, encoding="utf-8")
    for _ in range(4):
        process = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, start_new_session=True)
        process.stdout.readline()
        time.sleep(rng.uniform(0, 0.5))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
    prepare(job, out)
    assert files_in(out) == whole


def stop_after(units):
    """A progress callback that interrupts."""

    def on_progress(progress):
        on_progress.units += 1
        if on_progress.units == units:
            raise KeyboardInterrupt

    on_progress.units = 0
    return on_progress


def test_finished_units_are_kept_and_not_encoded_again(job, whole, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        prepare(job, tmp_path / "out", on_progress=stop_after(4))
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.bin")}
    seen = []
    prepare(job, tmp_path / "out", on_progress=seen.append)
    assert seen[-1].kept_units == 4
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert files_in(tmp_path / "out") == whole


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-1])])
def test_a_finished_unit_whose_shard_is_gone_is_made_again(job, whole, tmp_path, damage):
    with pytest.raises(KeyboardInterrupt):
        prepare(job, tmp_path / "out", on_progress=stop_after(4))
    damage(tmp_path / "out" / "train-00000-00001.bin")
    prepare(job, tmp_path / "out")
    assert files_in(tmp_path / "out") == whole


def test_what_killed_processes_leave_is_removed(job, whole, tmp_path):
    out = tmp_path / "out"
    (out / ".progress").mkdir(parents=True)
    leftovers = [out / ".train-00000-00000.bin.123", out / ".manifest.json.7", out / ".progress" / ".job.json.9"]
    for leftover in [*leftovers, out / "train-00099-00000.bin"]:
        leftover.write_bytes(b"half")
    prepare(job, out)
    assert files_in(out) == whole


def test_a_finished_folder_is_left_as_it_is(job, whole, tmp_path):
    def refuse(progress):
        raise AssertionError("there was nothing to do")

    prepare(job, tmp_path / "whole", on_progress=refuse)
    assert files_in(tmp_path / "whole") == whole


def test_a_kill_after_the_manifest_leaves_nothing_behind(job, whole, tmp_path):
    (tmp_path / "whole" / ".progress").mkdir()
    prepare(job, tmp_path / "whole")
    assert files_in(tmp_path / "whole") == whole
    assert not (tmp_path / "whole" / ".progress").exists()


def test_a_source_that_changed_since_is_read_again(job, whole, tmp_path):
    path = tmp_path / "corpus" / "3.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace("Alice", "Alibi"), encoding="utf-8")
    later = time.time() + 10
    os.utime(path, (later, later))
    prepare(job, tmp_path / "whole")
    expected = [story(i) if i < 60 else story(i).replace("Alice", "Alibi") for i in range(80)]
    assert sorted(texts_of(tmp_path / "whole", ByteEncoder)) == sorted(expected)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"validation": 0.2}, r"made with settings validation=0\.1, not 0\.2"),
        ({"seed": 1}, "made with settings seed=0, not 1"),
        ({"unit_bytes": 4096}, "made with settings unit_bytes=2048, not 4096"),
    ],
)
@pytest.mark.parametrize("finished", [True, False])
def test_data_of_other_settings_is_not_mixed_with(job, tmp_path, settings, message, finished):
    if finished:
        prepare(job, tmp_path / "out")
    else:
        with pytest.raises(KeyboardInterrupt):
            prepare(job, tmp_path / "out", on_progress=stop_after(2))
    before = files_in(tmp_path / "out")
    values = {"validation": 0.1, "unit_bytes": 2048, **settings}
    with pytest.raises(DataError, match=message):
        prepare(job_of(tmp_path / "corpus", settings=PrepareSettings(**values)), tmp_path / "out")
    assert files_in(tmp_path / "out") == before


def test_data_of_another_tokenizer_is_not_mixed_with(job, whole, tmp_path):
    with pytest.raises(DataError, match="made with tokenizer fingerprint="):
        prepare(job_of(tmp_path / "corpus", ManyTokens()), tmp_path / "whole")


def test_data_of_other_sources_is_not_mixed_with(job, whole, tmp_path):
    with pytest.raises(DataError, match="made from other sources"):
        prepare(job_of(tmp_path / "other", stories=3), tmp_path / "whole")


def test_a_large_vocabulary_takes_four_bytes_a_token(tmp_path):
    prepare(job_of(tmp_path / "corpus", ManyTokens()), tmp_path / "out")
    data = TokenFolder(tmp_path / "out", ManyTokens.fingerprint)
    assert data.shard("train-00000-00000.bin").tokens.dtype == np.dtype("<u4")
    assert sorted(texts_of(tmp_path / "out", ManyTokens)) == sorted(story(i) for i in range(80))


@pytest.mark.parametrize("unit_bytes", [1024, 1 << 20])
def test_a_giant_document_stays_one_and_keeps_its_ids(tmp_path, monkeypatch, unit_bytes):
    monkeypatch.setattr("cutaway.data.pieces.cut_pieces.__defaults__", (512,))
    text, gpt2 = story(1, words=2000), Tokenizer.gpt2()
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    (tmp_path / "b.txt").write_text("short", encoding="utf-8")
    settings = PrepareSettings(validation=0, unit_bytes=unit_bytes)
    prepare(Job(find([str(tmp_path / "a.txt"), str(tmp_path / "b.txt")]), gpt2, settings), tmp_path / "out")
    tokens = TokenFolder(tmp_path / "out").tokens("train")
    assert tokens.read(0, len(tokens)).tolist() == [*gpt2.encode(text), gpt2.eot, *gpt2.encode("short"), gpt2.eot]
    assert TokenFolder(tmp_path / "out").manifest.totals("train").n_documents == 2


def test_the_end_of_a_single_document_is_for_validation(tmp_path):
    text = story(1, words=300)
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    prepare(Job(find([str(tmp_path / "a.txt")]), ByteEncoder(), SETTINGS), tmp_path / "out")
    cut = int(len(text) * 0.9)
    assert texts_of(tmp_path / "out", ByteEncoder) == [text[:cut], text[cut:]]


def test_all_pieces_reads_every_file(tmp_path):
    corpus = story_corpus(tmp_path / "corpus", files=2, stories=3)
    assert [piece.text for piece in all_pieces(corpus, SETTINGS)] == [story(i) for i in range(6)]


def test_memory_does_not_grow_with_the_corpus(tmp_path):
    import tracemalloc

    peaks = []
    for stories in (100, 800):
        corpus = story_corpus(tmp_path / str(stories), files=1, stories=stories)
        job = Job(corpus, ByteEncoder(), PrepareSettings(validation=0.1, unit_bytes=4096))
        tracemalloc.start()
        prepare(job, tmp_path / f"out{stories}")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # What grows is a record of some hundred bytes for each unit; the text itself would be 300 kB more.
    assert peaks[1] - peaks[0] < 150_000


def test_progress_goes_from_some_to_all(job, tmp_path):
    seen = []
    prepare(job, tmp_path / "out", on_progress=seen.append)
    assert seen[0].read_bytes < seen[-1].read_bytes == seen[-1].total_bytes == job.corpus.size
    manifest = Manifest.read(tmp_path / "out")
    assert seen[-1].n_tokens == sum(shard.n_tokens for shard in manifest.shards)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.txt": b""}, "the corpus is empty: its files have no content"),
        ({"a.jsonl": b'{"text": ""}\n'}, "the corpus is empty: there is no text in any document"),
        ({"a.txt": b"good", "b.txt": b"\0\0binary"}, "b.txt is a binary file"),
        ({"a.jsonl": b'{"story": "x"}'}, "has no 'text'"),
    ],
)
def test_a_corpus_that_cannot_be_used_is_refused(tmp_path, files, message):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for name, content in files.items():
        (corpus / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        prepare(Job(find([str(corpus)]), ByteEncoder(), SETTINGS), tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_a_validation_split_that_takes_everything_is_refused(tmp_path):
    job = job_of(tmp_path / "corpus", files=1, stories=2, settings=PrepareSettings(validation=0.999, unit_bytes=2048))
    with pytest.raises(DataError, match=r"validation=0\.999 takes all 2 documents and leaves none to train on"):
        prepare(job, tmp_path / "out")


def test_a_validation_split_that_comes_out_empty_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("cutaway.data.job.SURVEYED_BYTES", 0)  # as for a corpus too large to be read twice
    job = job_of(tmp_path / "corpus", files=1, stories=3, settings=PrepareSettings(validation=1e-9, unit_bytes=2048))
    with pytest.raises(DataError, match=r"of 3 documents came out as none; raise it, or give 0"):
        prepare(job, tmp_path / "out")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"validation": 1}, "larger than the corpus"),
        ({"validation": -0.1}, "no share of the corpus"),
        ({"validation": "x"}, "must be a share"),
        ({"seed": -1}, "seed=-1 is out of range"),
        ({"unit_bytes": 10}, "unit_bytes=10 is out of range"),
        ({"field": ""}, "must not be empty"),
        ({"separator": ""}, "must not be empty"),
    ],
)
def test_impossible_settings_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        PrepareSettings(**values)


@pytest.mark.parametrize("text", ["", "3", "1/2/3", "a/b", "-1/3", "0/3", "4/3", "1/0"])
def test_impossible_shares_are_refused(text):
    with pytest.raises(ConfigError, match="share"):
        Share.parse(text)


def test_a_share_is_written_as_a_fraction():
    assert Share.parse("2/3") == Share(index=2, count=3)


def test_an_output_path_that_is_a_file_is_refused(job, tmp_path):
    (tmp_path / "out").write_text("in the way", encoding="utf-8")
    with pytest.raises(DataError, match=r"cannot write to .*out: (File exists|Not a directory)"):
        prepare(job, tmp_path / "out")


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ("ENOSPC", "the disk of .* is full; free some space and run the same again"),
        ("EROFS", "cannot write to .*Read-only"),
    ],
)
def test_a_disk_that_takes_no_more_says_so_and_the_work_goes_on_later(
    job, whole, tmp_path, monkeypatch, number, message
):
    import errno

    written = []

    def fail(descriptor):
        written.append(descriptor)
        if len(written) > 9:
            code = getattr(errno, number)
            raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(atomic_file.os, "fsync", fail)
        with pytest.raises(DataError, match=message):
            prepare(job, tmp_path / "out")
    assert not list((tmp_path / "out").glob(".*.[0-9]*"))
    prepare(job, tmp_path / "out")
    assert files_in(tmp_path / "out") == whole


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_is_named(tmp_path, small_disk, workers):
    job = job_of(tmp_path / "corpus", ManyTokens())
    with pytest.raises(DataError, match=r"the disk of .*out is full; free some space"):
        prepare(job, small_disk / "out", workers=workers)
    assert not (small_disk / "out" / "manifest.json").exists()


def test_a_read_only_folder_is_named(job, small_disk):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(DataError, match=r"cannot write to .*out: Read-only file system; give a folder"):
        prepare(job, small_disk / "out")


def test_two_processes_do_not_write_the_same_share(job, tmp_path):
    (tmp_path / "out" / ".progress").mkdir(parents=True)
    refused = pytest.raises(DataError, match=r"another process is preparing .*out; wait for it")
    with locked(tmp_path / "out" / ".progress" / "share-1-of-1.lock"), refused:
        prepare(job, tmp_path / "out")


class Dying(ByteEncoder):
    def encode(self, text):
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_is_killed_is_noticed(tmp_path):
    with pytest.raises(DataError, match="a worker process was killed, perhaps for want of memory"):
        prepare(job_of(tmp_path / "corpus", Dying()), tmp_path / "out", workers=2)


def test_workers_do_not_outlive_a_killed_parent(tmp_path):
    import multiprocessing

    parent = multiprocessing.get_context("spawn").Process(target=_start_worker_and_wait, args=(tmp_path / "pid",))
    parent.start()
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        time.sleep(0.02)
    parent.kill()
    parent.join()
    worker = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 60
    while _is_alive(worker) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _is_alive(worker)


def _start_worker_and_wait(pid_file):
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=workers._start, initargs=(ByteEncoder(), Path()))
    pid_file.write_text(str(pool.submit(os.getpid).result()))
    time.sleep(3600)


def _is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False
