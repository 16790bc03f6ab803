# litestage serve for any x86-64 machine with AVX2:
#   docker build -t litestage .
#   docker run --rm -p 127.0.0.1:8080:8080 -e LITESTAGE_API_KEY=secret -v litestage:/models litestage
# The model is downloaded into the volume on the first start.
FROM debian:12 AS build
RUN apt-get update && apt-get install -y --no-install-recommends python3 python3-pip git
# ggml and libllama lie where the program will look for them.
ENV LITESTAGE_CACHE=/opt/litestage/lib
WORKDIR /source
COPY scripts/dependencies.sh scripts/tile_loadconfig.h scripts/
RUN scripts/dependencies.sh --portable >/dependencies
COPY . .
RUN cmake --preset release -DCMAKE_PREFIX_PATH="$(cat /dependencies)" -DLITESTAGE_BUILD_TESTS=OFF \
    && cmake --build --preset release && cmake --install build/release --prefix /opt/litestage

FROM debian:12-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates curl libarchive13 libcurl4 libfmt9 \
      libgomp1 libprometheus-cpp-core1.0 libspdlog1.10 libsqlite3-0 libssl3 libtomlplusplus3 python3 python3-pip \
    && rm -rf /var/lib/apt/lists/* && useradd --system --create-home litestage && install -d -o litestage /models
COPY --from=build /opt/litestage /opt/litestage
USER litestage
ENV LITESTAGE_CACHE=/models LITESTAGE_HOST=0.0.0.0 LITESTAGE_MODEL=qwen2.5-coder-1.5b PATH=/opt/litestage/bin:$PATH
VOLUME /models
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=15m CMD curl -fsS "http://127.0.0.1:${LITESTAGE_PORT:-8080}/health" || exit 1
ENTRYPOINT ["sh", "-c", "{ [ -e \"$LITESTAGE_MODEL\" ] || litestage pull \"$LITESTAGE_MODEL\"; } && exec litestage serve \"$@\"", "serve"]
