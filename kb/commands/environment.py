"""What a command works with: the settings in the environment, made ready."""

from __future__ import annotations

from indexer import segment
from kb.config import Config


def config_now() -> Config:
    """Return the settings, with the data folder made and jieba's dictionary kept in it."""
    config = Config.from_env().prepare()
    segment.use_cache(config.data / "jieba")
    return config
