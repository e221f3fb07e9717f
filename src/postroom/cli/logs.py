"""How log lines look: readable text or JSON, one line each, on stderr, with the name of the process that wrote it.

Lines of libraries that use Python's own logging take the same way.
"""

import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from postroom.settings import Settings


def configure_logs(settings: Settings, process: str, stream: TextIO | None = None) -> None:
    """Set up logging of this process; `process` is its name in each line, such as `deliver-1`."""
    output = stream or sys.stderr
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]

    def name_process(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event.setdefault("process", process)
        return event

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        name_process,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: list[Processor]
    if settings.log_format == "json":
        renderer = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    else:
        renderer = [structlog.dev.ConsoleRenderer(colors=output.isatty(), sort_keys=False)]
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(output),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)
    # It reports each format that it fails to read with a traceback, and anyone may send us such mail.
    logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL + 1)
