-- For a real Postgres that asks for passwords (docker-compose.yml has the image run it): the verifier's login. What the role
-- may do is set by every migration (postgres/grant-verifier.ts).
CREATE ROLE ebb_verifier LOGIN PASSWORD 'ebb-development';
