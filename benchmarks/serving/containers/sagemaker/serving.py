"""What sagemaker-scikit-learn-container adds to sagemaker-containers: the script behind a worker.

`python serving.py` starts the package's own server: gunicorn with gevent workers, in front of which
the image has nginx; SAGEMAKER_USE_NGINX=false leaves that out.
"""

import collections
import collections.abc

# The package was last published before Python 3.10 took these names away.
collections.Mapping = collections.abc.Mapping

import script  # noqa: E402
from sagemaker_containers.beta.framework import server, transformer, worker  # noqa: E402

_app = None


def main(environ, start_response):
    """Answer a request; the first one of a worker loads the model, as in that container."""
    global _app
    if _app is None:
        loaded = transformer.Transformer(
            model_fn=script.model_fn,
            input_fn=script.input_fn,
            predict_fn=script.predict_fn,
            output_fn=script.output_fn,
        )
        loaded.initialize()
        _app = worker.Worker(transform_fn=loaded.transform, module_name="script")
    return _app(environ, start_response)


if __name__ == "__main__":
    server.start("serving:main")
