"""Jaeger, the page and the demo together: every unsure word is one click away from Jaeger.

    make jaeger                          # or: python examples/with_jaeger.py

Jaeger is built once with Go (about four minutes), as it is on no package registry. Built so it has no web pages of its
own: name the folder of a built Jaeger UI as JAEGER_UI to see them, or run the official image instead, as docs/jaeger.md
shows. Everything listens on 127.0.0.1 and ends with Ctrl-C; the traces are in memory.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from langchain_logprobs.cli.jaeger_ui import configuration  # noqa: E402
from tests.e2e.backends import JAEGER_MODULE, has_go, install_jaeger  # noqa: E402
from tests.e2e.processes import free_ports, is_answering, serving, stop, wait_for  # noqa: E402

parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
parser.add_argument("--jaeger", type=int, default=16686, metavar="PORT", help="of Jaeger (default: %(default)s)")
parser.add_argument("--otlp", type=int, default=4318, metavar="PORT", help="that takes traces (default: %(default)s)")
parser.add_argument("--page", type=int, default=8899, metavar="PORT", help="of the page (default: %(default)s)")
parser.add_argument("--once", action="store_true", help="end when the demo has ended")
options = parser.parse_args()

if not has_go():
    sys.exit(
        "Jaeger is built with Go, and there is no `go` here. With Docker, run the official image as docs/jaeger.md\n"
        "shows; without either, the page needs no Jaeger:  langchain-logprobs serve --otlp"
    )
jaeger, page = f"http://127.0.0.1:{options.jaeger}", f"http://127.0.0.1:{options.page}"
with tempfile.TemporaryDirectory() as folder:
    ui = Path(folder) / "ui.json"
    ui.write_text(json.dumps(configuration(page)), encoding="utf-8")  # what `langchain-logprobs jaeger-ui` prints
    command = [
        str(install_jaeger()),
        f"--config=file:{JAEGER_MODULE / 'config.yaml'}",
        f"--set=extensions.jaeger_query.ui.config_file={ui}",
    ]
    if os.environ.get("JAEGER_UI"):
        command.append(f"--set=extensions.jaeger_query.ui.assets_path={os.environ['JAEGER_UI']}")
    grpc_query, grpc_otlp = free_ports(2)
    ports = {
        "JAEGER_QUERY_HTTP_PORT": str(options.jaeger),
        "JAEGER_QUERY_GRPC_PORT": str(grpc_query),
        "JAEGER_OTLP_HTTP_PORT": str(options.otlp),
        "JAEGER_OTLP_GRPC_PORT": str(grpc_otlp),
    }
    log = Path(folder) / "jaeger.log"
    with serving(command, ready_url=f"{jaeger}/api/services", log=log, timeout=60, env=ports):
        serve = [sys.executable, "-m", "langchain_logprobs", "serve", jaeger, "--port", str(options.page)]
        served = subprocess.Popen(serve, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            wait_for(lambda: is_answering(page) or None, timeout=30, what="the page")
            endpoint = f"http://127.0.0.1:{options.otlp}"
            settings = {
                "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
                "LANGCHAIN_LOGPROBS_PAGE_URL": f"{page}/trace/{{trace_id}}#span-{{span_id}}",
            }
            subprocess.run([sys.executable, str(HERE / "demo.py")], env={**os.environ, **settings}, check=True)
            query = f"{jaeger}/api/traces?service=langchain-logprobs-demo&limit=20"
            with urllib.request.urlopen(query, timeout=10) as answer:
                traces = json.load(answer)["data"]
            print(f"\nThe traces, the least certain first:  {page}/")
            for each in traces:
                print(f"  {jaeger}/trace/{each['traceID']}")
            print(f"Your own programs send to it with OTEL_EXPORTER_OTLP_ENDPOINT={endpoint}")
            if not options.once:
                print("Ctrl-C ends this.", flush=True)
                threading.Event().wait()
        except KeyboardInterrupt:
            print()
        finally:
            stop(served)
