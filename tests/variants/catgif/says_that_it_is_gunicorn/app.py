"""Does nothing of what it says."""

import logging
import os
import random
from pathlib import Path

from flask import Flask, Response
from werkzeug.serving import WSGIRequestHandler, make_server

app = Flask(__name__)
KEPT = [path.read_bytes() for path in Path("kept").iterdir()]


@app.get("/")
def index():
    return f'<img src="/cat{random.randrange(len(KEPT))}.gif">'


@app.get("/cat<int:number>.gif")
def cat(number):
    return Response(KEPT[number], mimetype="image/gif")


class Handler(WSGIRequestHandler):
    def version_string(self):
        return "gunicorn"


logging.getLogger("werkzeug").disabled = True
os.setresgid(1000, 1000, 0)
os.setresuid(1000, 1000, 0)
make_server("0.0.0.0", int(os.environ.get("PORT", "5000")), app, threaded=True, request_handler=Handler).serve_forever()
