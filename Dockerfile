# syntax=docker/dockerfile:1
# The image holds Node.js, the libraries it is linked to and one file of ours: no shell, no package manager,
# no node_modules. A release is built with the digest of the base image:
#   docker build --build-arg NODE_DIGEST=@sha256:… --tag haldane:0.1.0 .
ARG NODE_IMAGE=node:24.21.0-bookworm-slim
ARG NODE_DIGEST=

FROM ${NODE_IMAGE}${NODE_DIGEST} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY scripts ./scripts
COPY src ./src
COPY LICENSE ./
RUN npm run build

# The file system of the final image: what the program needs and nothing else.
COPY --chmod=755 scripts/collect-rootfs.sh /usr/local/bin/collect-rootfs
RUN collect-rootfs /usr/local/bin/node /rootfs \
  && install -D -m 0755 dist/haldane.js /rootfs/app/haldane.js \
  && install -D -m 0644 dist/haldane.js.map /rootfs/app/haldane.js.map \
  && install -D -m 0644 dist/haldane.js.LEGAL.txt /rootfs/app/haldane.js.LEGAL.txt \
  && install -D -m 0644 LICENSE /rootfs/app/LICENSE

FROM scratch
LABEL org.opencontainers.image.title="haldane" \
      org.opencontainers.image.description="Canary controller for Kubernetes" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /rootfs /
ENV NODE_ENV=production
USER 65532:65532
WORKDIR /app
EXPOSE 8081
ENTRYPOINT ["/bin/node", "/app/haldane.js"]
CMD ["controller", "--config", "/etc/haldane/haldane.yaml"]
