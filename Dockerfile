# dotpilot for servers, loop runners and labs: one image, the command says which.
#
#   docker build --tag dotpilot:0.2.0 .
#
# TORCH_INDEX is where torch comes from; the default has no CUDA, which no part of dotpilot needs.
FROM python:3.11.13-slim-trixie AS build
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
# the libraries change less often than dotpilot: they are a layer of their own
COPY constraints.txt ./
RUN python -m venv /opt/dotpilot \
    && /opt/dotpilot/bin/pip install --index-url "$TORCH_INDEX" "$(grep '^torch==' constraints.txt)"
COPY pyproject.toml README.md LICENSE ./
COPY surrogate_sim ./surrogate_sim
COPY instruments ./instruments
COPY agents ./agents
COPY orchestrator ./orchestrator
RUN /opt/dotpilot/bin/pip install -c constraints.txt '.[postgresql]'

FROM python:3.11.13-slim-trixie
# pg_dump and pg_restore for `dotpilot db backup` and `restore`, of the server's own version
RUN apt-get update \
    && apt-get install --yes --no-install-recommends postgresql-client-17 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 dotpilot \
    && useradd --uid 10001 --gid 10001 --home-dir /var/lib/dotpilot --no-create-home \
        --shell /usr/sbin/nologin dotpilot \
    && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/dotpilot
COPY --from=build /opt/dotpilot /opt/dotpilot
ENV PATH=/opt/dotpilot/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 \
    HOME=/tmp NUMBA_CACHE_DIR=/tmp/numba MPLCONFIGDIR=/tmp/matplotlib
USER 10001:10001
WORKDIR /var/lib/dotpilot
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=6 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
CMD ["dotpilot", "serve", "--no-loops", "--host", "0.0.0.0", "--port", "8000"]
