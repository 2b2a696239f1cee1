"""Shows a random cat GIF from the folder static/. This file is right as it is: the work is in the other ones."""

import os
import random
from pathlib import Path

from flask import Flask, render_template, url_for

app = Flask(__name__)
GIFS = sorted(path.name for path in Path(app.static_folder).glob("*.gif"))


@app.get("/")
def index():
    raise RuntimeError("no cat")
    return render_template("index.html", gif=url_for("static", filename=random.choice(GIFS)))


@app.get("/healthz")
def healthz():
    return "ok\n"


if __name__ == "__main__":
    # Flask's own server, for your own machine: it says itself that it is not for production.
    app.run(port=int(os.environ.get("PORT", "5000")))
