# The native server as a small image: the binary, and the C library that it is linked to. docs/DEPLOYING.md tells how to
# run it. The compiler's version is that of rust-toolchain.toml, which a test sees to.
FROM rust:1.95.0-bookworm AS build
WORKDIR /src

# Dependencies first, with nothing of ours but the manifests: a layer that stays while only the sources change.
COPY Cargo.toml Cargo.lock ./
COPY core/Cargo.toml core/
COPY edge/Cargo.toml edge/
COPY edge/bindgen/Cargo.toml edge/bindgen/
COPY native/Cargo.toml native/
COPY tests/Cargo.toml tests/
COPY tests/steps/module/Cargo.toml tests/steps/module/
RUN mkdir core/src core/examples edge/src edge/bindgen/src native/src tests/src tests/steps/module/src \
    && touch core/src/lib.rs core/examples/openapi.rs edge/src/lib.rs native/src/lib.rs tests/src/lib.rs \
        tests/steps/module/src/lib.rs \
    && echo 'fn main() {}' >native/src/main.rs \
    && cp native/src/main.rs edge/bindgen/src/main.rs \
    && cargo build --release --locked -p bailiwick

COPY core core
COPY migrations migrations
COPY native native
COPY site site
# cargo goes by times, and what is copied may be older than what was built in its place.
RUN touch core/src/lib.rs native/src/lib.rs native/src/main.rs \
    && cargo build --release --locked -p bailiwick \
    && mkdir /data

# What a release publishes beside the image: `docker build --target binary --output .`.
FROM scratch AS binary
COPY --from=build /src/target/release/bailiwick /bailiwick

# Debian 12, as the stage that builds, so that the C library is the one that the binary was linked to.
FROM debian:12-slim
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /src/target/release/bailiwick /usr/local/bin/bailiwick
# An empty volume takes over whose this is.
COPY --from=build --chown=65532:65532 /data /data
ENV BIND=0.0.0.0:8080 \
    DATABASE_URL=sqlite:///data/bailiwick.db \
    LOG_FORMAT=json
USER 65532:65532
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["/usr/local/bin/bailiwick", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/bailiwick"]
