"""What every test runs under: offline, one thread, and no clock in the property tests."""

import os

# Before anything imports torch or huggingface_hub, which read these once.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["HF_HUB_OFFLINE"] = "1"

import hypothesis

hypothesis.settings.register_profile("cutaway", deadline=None, max_examples=50)
hypothesis.settings.load_profile("cutaway")
