# syntax=docker/dockerfile:1
# Two stages: one that builds and installs, one that only runs. A plain torch brings gigabytes of CUDA libraries; hand over
# the address of PyTorch's CPU index to leave them out:
#   docker build --build-arg TORCH_INDEX_URL=… -t specrec .
FROM python:3.11-slim-bookworm AS build
ARG TORCH_INDEX_URL=
ARG TORCH_VERSION=2.13.0
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/specrec
WORKDIR /src
COPY constraints.txt ./
# torch first and alone, so that a change of the code does not install it again
RUN /opt/specrec/bin/pip install --constraint constraints.txt \
    ${TORCH_INDEX_URL:+--extra-index-url "$TORCH_INDEX_URL"} torch==${TORCH_VERSION}
COPY pyproject.toml README.md LICENSE ./
COPY bot ./bot
COPY specrec ./specrec
RUN /opt/specrec/bin/pip install --constraint constraints.txt . \
    && /opt/specrec/bin/pip uninstall --yes pip setuptools

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --create-home --home-dir /data specrec
COPY --from=build /opt/specrec /opt/specrec
ENV PATH=/opt/specrec/bin:$PATH PYTHONUNBUFFERED=1 \
    DATABASE_URL=sqlite+aiosqlite:////data/specrec.db MODEL_DIR=/data/models WEB_HOST=0.0.0.0 WEB_PORT=8080
USER specrec
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ['WEB_PORT']}/healthz\", timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["specrec-bot"]
