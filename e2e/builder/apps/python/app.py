import os

import bottle
import itsdangerous


@bottle.get("/")
def index():
    bottle.response.content_type = "text/plain"
    return f"Python with bottle {bottle.__version__} and itsdangerous {itsdangerous.__version__}\n"


bottle.run(host="0.0.0.0", port=int(os.environ["PORT"]))
