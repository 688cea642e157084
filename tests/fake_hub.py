"""A Hugging Face Hub of one model or dataset on this machine: the few addresses that its library asks for."""

import hashlib
import http.server
import json
import threading
import urllib.parse
from pathlib import Path
from unittest.mock import patch

from cutaway.weights import hub


class FakeHub:
    """Serves the files of a folder as the model or dataset `owner/name`, with one commit on the branch main."""

    commit = "0123456789abcdef0123456789abcdef01234567"

    def __init__(self, folder: Path, status: int = 200, kind: str = "models") -> None:
        self.folder, self.status, self.requests = folder, status, []
        self.api, self.files = f"/api/{kind}/owner/name", "/owner/name" if kind == "models" else f"/{kind}/owner/name"
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                fake.requests.append(self.path)
                self.reply(*fake.answer(self.path.split("?")[0]))

            do_HEAD = do_GET

            def reply(self, status, body, headers):
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        # It always answers, but on a busy machine not always at once.
        self.patience = patch.object(hub, "PATIENCE_S", 60)
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, path: str) -> tuple[int, bytes, dict[str, str]]:
        if self.status != 200:
            return self.status, b"{}", {}
        names = [file.relative_to(self.folder).as_posix() for file in self.folder.rglob("*") if file.is_file()]
        if path in (self.api, *(f"{self.api}/revision/{revision}" for revision in ("main", self.commit))):
            siblings = [{"rfilename": name} for name in names]
            return self.json({"id": "owner/name", "sha": self.commit, "siblings": siblings})
        if path == f"{self.api}/tree/{self.commit}":
            return self.json([self.tree_entry(name) for name in names])
        name = urllib.parse.unquote(path).removeprefix(f"{self.files}/resolve/{self.commit}/")
        if name in names:
            file = self.folder / name
            return 200, file.read_bytes(), {"X-Repo-Commit": self.commit, "ETag": f'"{self.blob_id(file)}"'}
        missing = "RevisionNotFound" if path.startswith(f"{self.api}/") else "RepoNotFound"
        return 404, b"{}", {"X-Error-Code": missing}

    def tree_entry(self, name: str) -> dict:
        file = self.folder / name
        return {"type": "file", "path": name, "size": file.stat().st_size, "oid": self.blob_id(file)}

    @staticmethod
    def blob_id(file: Path) -> str:
        content = file.read_bytes()
        return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()

    @staticmethod
    def json(value) -> tuple[int, bytes, dict[str, str]]:
        return 200, json.dumps(value).encode(), {"Content-Type": "application/json"}

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.patience.start()
        return self

    def __exit__(self, *_):
        self.patience.stop()
        self.server.shutdown()
        self.server.server_close()
