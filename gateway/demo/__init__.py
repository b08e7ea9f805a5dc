"""The whole product on one machine: a test picture, invented patients, a worklist server and an archive."""
