"""The HTTP API: what OpenAI's clients expect of `/v1/completions`, for GPT-2, on a continuous-batching engine.

Read `app.py` for the routes, `completion_request.py` for what may be asked, `plan.py` for what the engine is asked,
`choice.py` for what comes back, and `guard.py` for what keeps strangers and giants out. It needs the extra `serve`.
"""

from cutaway.server.library import require_serve

require_serve()

from cutaway.server.app import create_app  # noqa: E402 - the extra is looked for first
from cutaway.server.served_model import ServedModel  # noqa: E402
from cutaway.server.service import Service  # noqa: E402
from cutaway.server.settings import ServerSettings  # noqa: E402

__all__ = ["ServedModel", "ServerSettings", "Service", "create_app"]
