# One image for every process of ours; docker-compose.yml gives each its command.
FROM node:22.12.0-bookworm-slim

WORKDIR /app
ENV NODE_ENV=production

# Packages first: they change less often than the code. The engines of development are devDependencies, left out here.
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev && npm cache clean --force

COPY . .
RUN node services/build.mjs

# What is written belongs to the user `node`; named volumes take this ownership over when they are made.
RUN mkdir -p /var/lib/ebb reports/output && chown -R node:node /var/lib/ebb reports/output
USER node
ENV EBB_HOME=/var/lib/ebb
