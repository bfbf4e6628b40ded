# The API's image (`docker build .`), and with `--target jobs` that of the collector and the trainer. docs/image.md says
# what is in them, how large they are and how to renew the base's digest.
ARG PYTHON_IMAGE=docker.io/library/python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b

# Installs, and is left behind. pip reads the index, certificate and constraints of the machine's own configuration and
# installs exactly what the lock names, by its hashes; uv builds this project without asking anybody.
FROM ${PYTHON_IMAGE} AS build
WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1 PIP_ROOT_USER_ACTION=ignore
COPY docker/requirements-build.txt docker/
RUN python -m venv /opt/build \
    && python -m venv --without-pip /opt/cripto \
    && /opt/build/bin/pip install --require-hashes --no-deps --requirement docker/requirements-build.txt
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src src
RUN /opt/build/bin/uv build --offline --no-cache --wheel --out-dir /build/wheel

FROM build AS build-serve
COPY requirements.txt ./
RUN /opt/build/bin/pip --python /opt/cripto/bin/python install --require-hashes --no-deps --requirement requirements.txt \
    && /opt/build/bin/uv pip install --offline --no-cache --no-deps --python /opt/cripto/bin/python wheel/*.whl \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/cripto/lib

FROM build AS build-jobs
COPY docker/requirements-jobs.txt docker/
RUN /opt/build/bin/pip --python /opt/cripto/bin/python install --require-hashes --no-deps --requirement docker/requirements-jobs.txt \
    && /opt/build/bin/uv pip install --offline --no-cache --no-deps --python /opt/cripto/bin/python wheel/*.whl \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/cripto/lib

# What runs: the interpreter and one environment. Nothing is written but in /tmp and where CRIPTO_CACHE_DIR points, so
# the root can be read-only. The official image ships its library without bytecode; without the second line each start
# would compile it anew.
FROM ${PYTHON_IMAGE} AS runtime
RUN groupadd --gid 10001 cripto && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin cripto \
    && install --directory --owner 10001 --group 10001 /var/cache/cripto \
    && python -m compileall -q -j 0 -x '/(site-packages|dist-packages|test|tests|idlelib|lib2to3|tkinter|turtledemo|ensurepip)/' "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
ENV PATH=/opt/cripto/bin:$PATH HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 CRIPTO_HOST=0.0.0.0
WORKDIR /tmp
USER 10001:10001
ENTRYPOINT ["cripto"]

FROM runtime AS jobs
COPY --from=build-jobs /opt/cripto /opt/cripto
CMD ["--help"]
ARG VERSION=1.0.0
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="cripto-prediction-jobs" \
      org.opencontainers.image.description="Collector and trainer of the Cripto Prediction API" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"

FROM runtime AS serve
COPY --from=build-serve /opt/cripto /opt/cripto
EXPOSE 8000
STOPSIGNAL SIGTERM
# the process lives as long as it answers this, whatever the store does: whether it can predict is another question
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(u.Request('http://127.0.0.1:' + (os.environ.get('PORT') or '8000') + '/health', headers={'X-Probe': 'liveness'}), timeout=4)"]
CMD ["serve"]
ARG VERSION=1.0.0
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="cripto-prediction-api" \
      org.opencontainers.image.description="Real-time predictions for any crypto asset from scikit-learn models in object storage" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
