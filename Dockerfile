# The image holds the interpreter, the runtime dependencies, models/ with the checkpoints, and service/. It has no training
# code and no pip among its packages, and it runs without root.
#
#   docker build -t colorcnn-service .
#   docker build -t colorcnn-service --build-arg TORCH_INDEX=ADDRESS .
#   docker build -t colorcnn-service:ray --build-arg EXTRAS=ray .
#
# On x86-64 pip installs the CUDA build of torch, which also runs without a GPU but is gigabytes large. TORCH_INDEX is the
# address of another index of wheels, such as PyTorch's own for CPUs. EXTRAS are extras of pyproject.toml, separated by
# blanks; `ray` is for deploy/ray.

# The same version as in the tests.
ARG PYTHON_VERSION=3.11

# Only the runtime requirements leave this stage, so no other change of pyproject.toml invalidates the next stage.
FROM python:${PYTHON_VERSION}-slim AS requirements
ARG EXTRAS=""
WORKDIR /requirements
COPY pyproject.toml .
RUN python -c 'import sys, tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
    extras = [project["optional-dependencies"][name] for name in sys.argv[1:]]; \
    print(*sum(extras, project["dependencies"]), sep="\n")' ${EXTRAS} > runtime.txt


FROM python:${PYTHON_VERSION}-slim AS dependencies
ARG TORCH_INDEX=""
COPY --from=requirements /requirements/runtime.txt /requirements/
RUN python -m venv --without-pip /opt/venv \
    && python -m pip --python /opt/venv/bin/python install --no-cache-dir --disable-pip-version-check --no-input \
        ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} --requirement /requirements/runtime.txt


# The installed packages, with the metadata from which the service reads its version. They are compiled here because the
# service cannot write to its folder. The commands in bin/ run with the interpreter of the last stage.
FROM python:${PYTHON_VERSION}-slim AS code
WORKDIR /source
COPY pyproject.toml LICENSE NOTICE ./
COPY models models
COPY service service
COPY training training
RUN python -m pip install --no-cache-dir --disable-pip-version-check --no-input --no-deps --target /app . \
    && rm -r /app/training \
    && sed -i '1s|.*|#!/opt/venv/bin/python|' /app/bin/*


FROM python:${PYTHON_VERSION}-slim
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin colorcnn
COPY --from=dependencies /opt/venv /opt/venv
COPY --from=code /app /app
WORKDIR /app
ENV PATH=/opt/venv/bin:/app/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MPLCONFIGDIR=/tmp/matplotlib \
    OMP_WAIT_POLICY=PASSIVE \
    COLORCNN_LOG_FORMAT=json \
    COLORCNN_HOST=0.0.0.0 \
    COLORCNN_PORT=8000
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 CMD ["python", "-m", "service", "health"]
CMD ["python", "-m", "service"]
